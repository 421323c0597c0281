"""The lines of every table and plot of a report: classifiers, with their cells and rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from jaxbench.report import plots

Row = dict[str, Any]  # A cell of run.json, or its line in a summary.
ByCell = Mapping[str, pa.Table]  # Rows by the cell's id.


class Classifier(NamedTuple):
  """A line of every table and plot."""

  model: str
  prompts: str | None
  supervised: bool
  color: str
  dash: str
  number: int = 1  # Of the model in the run, which stands beside its points.
  place: int = 0  # Of the prompts in the run.

  @property
  def mark(self) -> str:
    """The shape of its points: square if supervised, else by its prompts."""
    return "s" if self.supervised else plots.MARKS[self.place % len(plots.MARKS)]

  @property
  def choice(self) -> str:
    """The group of its lines, of which a page shows one at a time; "" of a supervised model."""
    return "" if self.supervised else f"p{self.place}"

  @property
  def name(self) -> str:
    """What people would call it."""
    return f"{self.model}, {self.prompts}" if self.prompts else self.model

  @property
  def key(self) -> tuple[str, str | None]:
    """Model and prompts, by which cells are found."""
    return self.model, self.prompts


def of_run(run: Row) -> list[Classifier]:
  """The classifiers of run.json in its order: one colour a model, one dash a prompt set."""
  keys = list(dict.fromkeys((cell["model"], cell["prompts"]) for cell in run["cells"]))
  models = list(dict.fromkeys(model for model, _ in keys))
  prompts = list(dict.fromkeys(prompts for _, prompts in keys if prompts))
  return [
    Classifier(
      model,
      prompt,
      supervised=prompt is None,
      color=plots.COLORS[models.index(model) % len(plots.COLORS)],
      dash=plots.DASHES[prompts.index(prompt) % len(plots.DASHES) if prompt else 0],
      number=models.index(model) + 1,
      place=prompts.index(prompt) if prompt else 0,
    )
    for model, prompt in keys
  ]


def curve(classifier: Classifier, shares: Iterable[Sequence[float]]) -> plots.Curve:
  """Its line over some settings: of each a share in [0, 1] and the ends of its interval."""
  values, low, high = ([100 * share for share in ends] for ends in zip(*shares, strict=True))
  look = classifier.name, classifier.color, classifier.dash
  return plots.Curve(*look, values, low, high, classifier.choice)


def cells_of(classifier: Classifier, cells: list[Row]) -> list[Row]:
  """Those of some cells that are of one classifier."""
  return [cell for cell in cells if (cell["model"], cell["prompts"]) == classifier.key]


def ids(cells: list[Row]) -> dict[tuple[str, str | None], str]:
  """The ids of cells that differ in the classifier alone, by its key."""
  return {(cell["model"], cell["prompts"]): cell["id"] for cell in cells}


def tables_of(cells: list[Row], by_cell: ByCell) -> list[pa.Table]:
  """The rows of those of some cells that have any, a table each."""
  return [by_cell[cell["id"]] for cell in cells if cell["id"] in by_cell]


def rows_of(cells: list[Row], by_cell: ByCell) -> pa.Table | None:
  """The rows of some cells in one table, no copies; None if there are none."""
  tables = tables_of(cells, by_cell)
  return pa.concat_tables(tables) if tables else None
