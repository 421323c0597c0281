"""The sections of a data set in a report: one for each kind of perturbation."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from jaxbench import metrics, plan
from jaxbench.metrics import published
from jaxbench.report import on_disk, plots, protocols

Row = dict[str, Any]
_FEWEST_STEPS = 4  # Fewer are no curve.
ByCell = Mapping[str, pa.Table]  # Rows by the cell's id.


class Classifier(NamedTuple):
  """A line of every table and plot."""

  model: str
  prompts: str | None
  supervised: bool
  color: str
  dash: str

  @property
  def name(self) -> str:
    """As people would call it."""
    return f"{self.model}, {self.prompts}" if self.prompts else self.model


class Table(NamedTuple):
  """One perturbation: classifiers by settings."""

  perturbation: str
  axis: str  # "severity" or "epsilon".
  settings: list[str]
  lines: list[tuple[Classifier, list[Row | None]]]  # None: not computed.
  plot: str  # SVG; "" for the clean images.
  norm: str | None  # Of an attack.
  knowledge: str | None  # What the attacker knows.
  at: str = ""  # For the axes of plots: where images are perturbed, if not at the models' size.

  @property
  def middle(self) -> int:
    """The setting that stands for a perturbation where there is room for one."""
    return len(self.settings) // 2


class Text(NamedTuple):
  """Words on images, written in one way."""

  overlay: str
  lines: list[tuple[Classifier, str, metrics.Typographic | None]]  # With the cell's id.
  knowledge: str | None  # What the attacker knows.


class Transfer(NamedTuple):
  """One attack at one epsilon: from every surrogate to every target."""

  attack: str
  setting: str  # Epsilon.
  # Of a surrogate: what the attacker knows with it, and one cell per classifier.
  lines: list[tuple[str, str | None, list[Row | None]]]
  plot: str  # SVG.


class Corrupted(NamedTuple):
  """All common corruptions together."""

  columns: list[str]  # Names of figures; see `metrics.corruption_errors`.
  each: list[str]  # Corruptions whose error has been divided by a reference's.
  # With the published mCE.
  lines: list[tuple[Classifier, metrics.CorruptionErrors, protocols.Beside | None]]
  missing: tuple[str, ...]  # Of the fifteen official ones.
  reference: str | None  # What errors are divided by,
  unlike: str  # and what is not as it was there, in words.

  @property
  def sources(self) -> list[str]:
    """Of the published numbers."""
    return list(dict.fromkeys(known.source for *_, known in self.lines if known))

  @property
  def notes(self) -> list[str]:
    """What differs from how the published numbers were measured."""
    return protocols.notes(known for *_, known in self.lines)


def table(
  perturbation: str,
  cells: list[Row],
  summary: dict[str, Row],
  classifiers: list[Classifier],
  clean: Table | None,
) -> Table:
  """Of cells that differ in severity or epsilon; the clean images have no table before them."""
  settings = list(dict.fromkeys(cell["setting"] for cell in cells))
  found = {(c["model"], c["prompts"], c["setting"]): summary.get(c["id"]) for c in cells}
  lines = [
    (each, [found.get((each.model, each.prompts, setting)) for setting in settings])
    for each in classifiers
  ]
  axis = "epsilon" if cells[0]["epsilon"] is not None else "severity"
  told = knowledge(cells), briefly_where(cells)
  table = Table(perturbation, axis, settings, lines, "", cells[0]["norm"], *told)
  return table._replace(plot=_plot(table, clean)) if clean else table


def _plot(table: Table, clean: Table) -> str:
  """Accuracy over the settings, beginning with the clean images."""
  curves = []
  for (classifier, cells), (_, first) in zip(table.lines, clean.lines, strict=True):
    if all(row := [*first, *cells]):
      keys = ("accuracy", "accuracy_low", "accuracy_high")
      shares = ([100 * cell[key] for cell in row if cell] for key in keys)
      curves.append(plots.Curve(classifier.name, classifier.color, classifier.dash, *shares))
  names = [setting or table.perturbation for setting in table.settings]
  settings = ["clean", *(name.removesuffix("/255") for name in names)]
  units = all(setting.endswith("/255") for setting in table.settings)
  axis = f"{table.axis}{table.at}{', /255' if units else ''}"
  return plots.accuracy_curves(table.perturbation, axis, settings, curves)


def queries(table: Table, by_cell: ByCell) -> str:
  """SVG: accuracy over the query budget, at the middle epsilon; "" for an attack with gradients."""
  curves, largest = _needed(table, by_cell, _queries_needed, "forwards", gradients=False)
  if not curves:
    return ""
  axis = f"queries, epsilon {table.settings[table.middle]}{table.at}"
  return plots.robustness_curves(table.perturbation, axis, largest, curves)


def steps(table: Table, by_cell: ByCell) -> str:
  """SVG: accuracy over the steps of an attack with gradients, at the middle epsilon; or ""."""
  curves, largest = _needed(table, by_cell, metrics.steps_needed, "steps", gradients=True)
  if largest < _FEWEST_STEPS:
    return ""
  axis = f"steps, epsilon {table.settings[table.middle]}{table.at}"
  return plots.robustness_curves(f"convergence of {table.perturbation}", axis, largest, curves)


def _needed(
  table: Table,
  by_cell: ByCell,
  needed: Callable[[pa.Table], np.ndarray],
  column: str,
  *,
  gradients: bool,
) -> tuple[list[plots.Steps], int]:
  """What the examples needed until they were fooled, a curve a cell, and the most of `column`."""
  curves, largest = [], 0
  for classifier, cells in table.lines:
    cell = cells[table.middle]
    if cell is None or cell["epsilon"] is None or bool(cell["backwards"]) != gradients:
      continue
    own = by_cell[cell["cell"]]
    curves.append(plots.Steps(classifier.name, classifier.color, classifier.dash, needed(own)))
    largest = max(largest, int(own[column].to_numpy().max()))
  return curves, largest


def _queries_needed(rows: pa.Table) -> np.ndarray:
  """Ascending; infinite for what withstands."""
  fooled = rows["success"].to_numpy(zero_copy_only=False)
  return np.sort(np.where(fooled, rows["forwards"].to_numpy(), np.inf))


def rows_of(cells: list[Row], by_cell: ByCell) -> pa.Table | None:
  """The rows of some cells, no copies; None if there are none."""
  own = [by_cell[cell["id"]] for cell in cells if cell["id"] in by_cell]
  return pa.concat_tables(own) if own else None


def of(one: Classifier, cells: list[Row]) -> list[Row]:
  """The cells of one classifier."""
  return [cell for cell in cells if (cell["model"], cell["prompts"]) == (one.model, one.prompts)]


def corrupted(
  name: str, cells: list[Row], by_cell: ByCell, classifiers: list[Classifier], run: Row
) -> Corrupted | None:
  """Of a data set, if it was corrupted; `run` is run.json.

  AlexNet's errors are known for ImageNet at 224 pixels, by ImageNet-C's definition. A model that
  the run names as reference takes their place.
  """
  sizes = {cell["preprocess"]["size"] for cell in cells if cell["severity"] is not None}
  if not sizes:
    return None
  defined = run["identity"]["config"]["corruptions"]["variant"] == "imagenet" and sizes == {224}
  cells = [
    cell for cell in cells if cell["severity"] is not None or cell["perturbation"] == "clean"
  ]
  found = {one: rows_of(of(one, cells), by_cell) for one in classifiers}
  correct = {
    one: metrics.correct_by_cell(rows, one.model, one.prompts, name)
    for one, rows in found.items()
    if rows is not None
  }
  if not correct:
    return None
  named, reference = run.get("error_reference"), None
  errors: Mapping[tuple[str, int], float] | None = None
  if own := next((own for one, own in correct.items() if one.model == named), None):
    reference, errors = f"{named}'s errors in this run", _errors(own)
  elif name == on_disk.NAME or (name == "imagenet" and defined):
    reference = "AlexNet's errors on all of ImageNet-C's published images"
    errors = metrics.alexnet()
  lines: list[tuple[Classifier, metrics.CorruptionErrors, protocols.Beside | None]] = []
  unlike: dict[str, None] = {}
  for one, own in correct.items():
    figured, known = metrics.corruption_errors(own, reference=errors), None
    if errors is metrics.alexnet():
      cell = next(cell for cell in of(one, cells) if cell["severity"] is not None)
      measured = (run, cell, figured.examples, name == on_disk.NAME)
      unlike |= dict.fromkeys(protocols.of_corruptions(published.ALEXNET, *measured))
      known = _published(one, *measured)
    lines.append((one, figured, known))
  ordered = ("clean", "mean", *metrics.GROUPS, "mce", "relative_mce")
  figures = dict.fromkeys(figure for _, line, _ in lines for figure in line.figures)
  columns = [figure for figure in ordered if figure in figures]
  each = [name for names in metrics.GROUPS.values() for name in names if name in figures]
  each += sorted(figures.keys() - {*ordered, *each})
  return Corrupted(columns, each, lines, lines[0][1].missing, reference, "; ".join(unlike))


def _published(
  one: Classifier, run: Row, cell: Row, examples: int, on_disk: bool
) -> protocols.Beside | None:
  """The mCE of the same weights; see `protocols.of_corruptions`."""
  found = published.corruption_error(one.model)
  if found is None:
    return None
  differs = protocols.of_corruptions(found.protocol, run, cell, examples, on_disk)
  return protocols.beside(found, differs)


def _errors(correct: Mapping[tuple[str, int], np.ndarray]) -> dict[tuple[str, int], float]:
  return {key: float(1 - hits.mean()) for key, hits in correct.items()}


def text(cells: list[Row], by_cell: ByCell, classifiers: list[Classifier]) -> Text:
  """Of cells with words on their images."""
  ids = {(cell["model"], cell["prompts"]): cell["id"] for cell in cells}
  lines: list[tuple[Classifier, str, metrics.Typographic | None]] = []
  for one in classifiers:
    cell = ids.get((one.model, one.prompts), "")
    found = None
    if own := by_cell.get(cell):
      columns = (own[name] for name in ("label", "target", "prediction", "clean_prediction"))
      found = metrics.typographic(*columns)
    lines.append((one, cell, found))
  return Text(cells[0]["perturbation"], lines, knowledge(cells))


def transfers(
  cells: list[Row], summary: dict[str, Row], classifiers: list[Classifier]
) -> list[Transfer]:
  """A matrix for each attack and epsilon of the cells with a surrogate."""
  surrogates = {cell["surrogate"]: knowledge([cell]) for cell in cells}
  keys = ("attack", "setting", "surrogate", "model", "prompts")
  found = {tuple(cell[key] for key in keys): summary.get(cell["id"]) for cell in cells}
  result = []
  for attack, setting in dict.fromkeys((cell["attack"], cell["setting"]) for cell in cells):
    lines = [
      (
        name,
        knowledge,
        [found.get((attack, setting, name, each.model, each.prompts)) for each in classifiers],
      )
      for name, knowledge in surrogates.items()
    ]
    if not any(cell for *_, line in lines for cell in line):
      continue
    shares = [[_success(cell) for cell in line] for *_, line in lines]
    names = [each.name for each in classifiers]
    title = f"transfer of {attack}, {setting}{briefly_where(cells)}"
    plot = plots.heat_map(title, list(surrogates), names, shares)
    result.append(Transfer(attack, setting, lines, plot))
  return result


def _success(cell: Row | None) -> float | None:
  """In percent, if it has been computed and there was something to attack."""
  share = None if cell is None else cell["attack_success"]
  return None if share is None else 100 * share


def where(cells: list[Row]) -> str:
  """At which size images are perturbed, as `plan.where` has it; older runs do not tell."""
  return plan.where({cell.get("surrogate") or cell["model"]: cell.get("native") for cell in cells})


def briefly_where(cells: list[Row]) -> str:
  """The same for axes of plots."""
  sizes = {cell.get("native") for cell in cells}
  own = next(iter(sizes - {None}), None)
  if own is None:
    return ""
  return f" at {own} x {own} pixels" if len(sizes) == 1 else f" at {own} x {own} or models' pixels"


def knowledge(cells: list[Row]) -> str | None:
  """What the attacker of some cells knows; runs of older versions do not tell."""
  return cells[0].get("knowledge")
