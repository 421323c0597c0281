"""The section of a report on universal perturbations: their success, as papers define it."""

from typing import NamedTuple

from jaxbench import metrics
from jaxbench.records import kinds
from jaxbench.report.by_setting import Table
from jaxbench.report.classifiers import ByCell, Classifier

# Of what has no target.
DEFINITIONS = {
  "set_difference": "right ones lost",
  "points": "accuracy lost",
  "relative": "accuracy lost, of what there was",
  "fooling": "predictions changed",
}


class Line(NamedTuple):
  """A classifier under a perturbation, at one setting."""

  classifier: Classifier
  setting: str
  cell: str
  shares: list[float | None]  # By each of `DEFINITIONS`.


class Universal(NamedTuple):
  """A perturbation, at all its settings."""

  table: Table
  lines: list[Line]

  @property
  def definitions(self) -> list[str]:
    """What the shares of a line are, in words."""
    return list(DEFINITIONS.values())


def universals(tables: list[Table], by_cell: ByCell) -> list[Universal]:
  """All of a data set."""
  return [
    Universal(table, _lines(table, by_cell)) for table in tables if table.kind == kinds.UNIVERSAL
  ]


def _lines(table: Table, by_cell: ByCell) -> list[Line]:
  lines = []
  for classifier, cells in table.lines:
    for setting, cell in zip(table.settings, cells, strict=True):
      if cell is not None:
        rows = by_cell[cell["cell"]]
        shares = [metrics.attack_success(rows, name) for name in DEFINITIONS]
        lines.append(Line(classifier, setting, cell["cell"], shares))
  return lines
