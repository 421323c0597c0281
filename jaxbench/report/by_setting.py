"""The section of a report on one perturbation: accuracy of every classifier at every setting."""

from typing import NamedTuple

from jaxbench.records import kinds
from jaxbench.report import plots
from jaxbench.report.classifiers import Classifier, Row, curve
from jaxbench.report.threat import briefly_where, knowledge


class Table(NamedTuple):
  """One perturbation: classifiers by settings."""

  perturbation: str
  kind: str  # Of `records.kinds`.
  settings: list[str]
  lines: list[tuple[Classifier, list[Row | None]]]  # None: not computed.
  plot: str  # SVG; "" for the clean images.
  norm: str | None  # Of an attack.
  knowledge: str | None  # What the attacker knows.
  at: str = ""  # For the axes of plots: where images are perturbed, if not at the models' size.

  @property
  def axis(self) -> str:
    """What the settings are."""
    of_attacks = self.kind in (kinds.ATTACK, kinds.TARGETED, kinds.UNIVERSAL)
    return "epsilon" if of_attacks else "severity"

  @property
  def middle(self) -> int:
    """The setting that stands for a perturbation where there is room for one."""
    return len(self.settings) // 2


def table(
  perturbation: str,
  cells: list[Row],
  summary: dict[str, Row],
  classifiers: list[Classifier],
  clean: Table | None,
) -> Table:
  """The table of cells that differ in severity or epsilon.

  Args:
    perturbation: of all of them.
    cells: of run.json.
    summary: lines of `metrics.summarize`, by the cell's id.
    classifiers: of the run.
    clean: the table of the clean images; None for itself.
  """
  settings = list(dict.fromkeys(cell["setting"] for cell in cells))
  computed = {
    (cell["model"], cell["prompts"], cell["setting"]): summary.get(cell["id"]) for cell in cells
  }
  lines = [
    (classifier, [computed.get((*classifier.key, setting)) for setting in settings])
    for classifier in classifiers
  ]
  threat = cells[0]["norm"], knowledge(cells), briefly_where(cells)
  drawn = Table(perturbation, cells[0]["kind"], settings, lines, "", *threat)
  return drawn._replace(plot=_plot(drawn, clean)) if clean else drawn


def _plot(table: Table, clean: Table) -> str:
  """Accuracy over the settings, beginning with the clean images."""
  curves = []
  for (classifier, cells), (_, first) in zip(table.lines, clean.lines, strict=True):
    if all(row := [*first, *cells]):
      keys = ("accuracy", "accuracy_low", "accuracy_high")
      shares = [[cell[key] for key in keys] for cell in row if cell]
      curves.append(curve(classifier, shares))
  names = [setting or table.perturbation for setting in table.settings]
  settings = ["clean", *(name.removesuffix("/255") for name in names)]
  units = all(setting.endswith("/255") for setting in table.settings)
  axis = f"{table.axis}{table.at}{', /255' if units else ''}"
  size = "plot" if table.axis == "epsilon" else "small"
  return plots.accuracy_curves(table.perturbation, axis, settings, curves, size)
