"""What a report says of one run: plain values, ready for the page's template."""

import itertools
import json
from typing import Any, NamedTuple

import pyarrow as pa
from etils import epath

from jaxbench import metrics, records
from jaxbench.report import gallery, plots

Row = dict[str, Any]


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


class Search(NamedTuple):
  """Smallest epsilons of one attack."""

  attack: str
  norm: str
  epsilons: list[tuple[str, float]]  # Where the table quotes the accuracy.
  lines: list[tuple[Classifier, Row | None, list[float]]]  # Distribution, accuracies.
  plot: str  # SVG.


class Pair(NamedTuple):
  """Two classifiers under one perturbation."""

  first: Classifier
  second: Classifier
  perturbation: str
  cells: tuple[str, str]
  comparison: metrics.Comparison


class Album(NamedTuple):
  """Pictures of one cell."""

  classifier: Classifier
  perturbation: str
  pictures: list[gallery.Picture]


class DataSet(NamedTuple):
  """Everything about one data set."""

  name: str
  examples: int
  class_names: list[str]
  tables: list[Table]
  searches: list[Search]
  pairs: list[Pair]
  albums: list[Album]


class Run(NamedTuple):
  """Everything about one run."""

  workdir: str
  run: dict[str, Any]  # run.json.
  config: str
  classifiers: list[Classifier]
  data: list[DataSet]
  missing: list[Row]  # What could not be run, with the reason.
  warnings: list[Row]  # What makes a figure doubtful, with what to do.
  forwards: int
  backwards: int


def load(workdir: epath.PathLike) -> Run:
  """Reads a run, finished or not.

  Raises:
    InputError: the folder holds no run or no records.
  """
  run, rows = records.load_run(workdir), records.read(workdir)
  summary = {row["cell"]: row for row in metrics.summarize(rows).to_pylist()}
  classifiers = _classifiers(run)
  sets = [_data_set(name, run, rows, summary, classifiers) for name in run["data"]]
  unfinished = [
    {"what": cell["id"], "reason": "not computed yet; the same command continues the run"}
    for cell in run["cells"]
    if summary.get(cell["id"], {"examples": 0})["examples"] < cell["examples"]
  ]
  reasons = {absent["what"] for absent in run["absent"]}
  return Run(
    workdir=str(workdir),
    run=run,
    config=json.dumps(run["identity"]["config"], indent=2),
    classifiers=classifiers,
    data=sets,
    missing=run["absent"] + [cell for cell in unfinished if cell["what"] not in reasons],
    warnings=_warnings(run, rows),
    forwards=sum(row["forwards"] for row in summary.values()),
    backwards=sum(row["backwards"] for row in summary.values()),
  )


def _warnings(run: dict[str, Any], rows: pa.Table) -> list[Row]:
  """Those of the attacks' own checks, and signs of masked gradients in the rows."""
  masked = [
    {
      "what": cell["cell"],
      "detail": f"Square fooled {cell['alone']} of {cell['examples']} examples that every gradient "
      "attack before it had left: gradients are likely masked; adapt the attack to the model",
    }
    for cell in metrics.gradient_masking(rows)
  ]
  return [*run.get("warnings", []), *masked]


def _classifiers(run: dict[str, Any]) -> list[Classifier]:
  """In the order of the plan; one colour a model, one dash a prompt set."""
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
    )
    for model, prompt in keys
  ]


def _data_set(
  name: str,
  run: dict[str, Any],
  rows: pa.Table,
  summary: dict[str, Row],
  classifiers: list[Classifier],
) -> DataSet:
  cells = [cell for cell in run["cells"] if cell["data"] == name]
  tables: list[Table] = []
  searches: list[Search] = []
  for perturbation, group in itertools.groupby(cells, key=lambda cell: cell["perturbation"]):
    same = list(group)
    if same[0]["tolerance"] is None:
      clean = tables[0] if tables else None
      tables.append(_table(perturbation, same, summary, classifiers, clean))
    else:
      searches.append(_search(same, rows, classifiers, run["identity"]["config"]["attacks"]))
  class_names = run["data"][name]["class_names"]
  return DataSet(
    name=name,
    examples=cells[0]["examples"] if cells else 0,
    class_names=class_names,
    tables=tables,
    searches=searches,
    pairs=_pairs(tables, rows, classifiers),
    albums=_albums(tables, rows, class_names),
  )


def _table(
  perturbation: str,
  cells: list[Row],
  summary: dict[str, Row],
  classifiers: list[Classifier],
  clean: Table | None,
) -> Table:
  settings = list(dict.fromkeys(cell["setting"] for cell in cells))
  found = {(c["model"], c["prompts"], c["setting"]): summary.get(c["id"]) for c in cells}
  lines = [
    (each, [found.get((each.model, each.prompts, setting)) for setting in settings])
    for each in classifiers
  ]
  axis = "epsilon" if cells[0]["epsilon"] is not None else "severity"
  table = Table(perturbation, axis, settings, lines, "")
  return table._replace(plot=_plot(table, clean)) if clean else table


def _search(cells: list[Row], rows: pa.Table, classifiers: list[Classifier], asked: Row) -> Search:
  attack, norm, largest = cells[0]["attack"], cells[0]["norm"], cells[0]["epsilon"]
  unit, scale = ("/255", 255) if norm == "linf" else ("", 1)
  quoted = sorted(asked["epsilons"])
  found = {row["cell"]: row for row in metrics.summarize_smallest(rows).to_pylist()}
  ids = {(cell["model"], cell["prompts"]): cell["id"] for cell in cells}
  lines: list[tuple[Classifier, Row | None, list[float]]] = []
  curves = []
  for one in classifiers:
    cell = ids.get((one.model, one.prompts))
    if cell is None or cell not in found:
      lines.append((one, None, []))
      continue
    smallest = metrics.smallest_epsilons(rows, cell)
    lines.append((one, found[cell], metrics.robust_accuracy(smallest, quoted).tolist()))
    curves.append(plots.Steps(one.name, one.color, one.dash, scale * smallest))
  axis = f"epsilon, {norm}{unit and ', '}{unit}"
  plot = plots.robustness_curves(attack, axis, scale * largest, curves)
  names = [(f"{scale * epsilon:g}{unit}", epsilon) for epsilon in quoted]
  return Search(attack, norm, names, lines, plot)


def _plot(table: Table, clean: Table) -> str:
  """Accuracy over the settings, beginning with the clean images."""
  curves = []
  for (classifier, cells), (_, first) in zip(table.lines, clean.lines, strict=True):
    if all(row := [*first, *cells]):
      keys = ("accuracy", "accuracy_low", "accuracy_high")
      shares = ([100 * cell[key] for cell in row if cell] for key in keys)
      curves.append(plots.Curve(classifier.name, classifier.color, classifier.dash, *shares))
  settings = ["clean", *(setting.removesuffix("/255") for setting in table.settings)]
  units = all(setting.endswith("/255") for setting in table.settings)
  axis = f"{table.axis}, /255" if units else table.axis
  return plots.accuracy_curves(table.perturbation, axis, settings, curves)


def _middle(table: Table) -> int:
  """The setting that stands for a perturbation where there is room for one."""
  return len(table.settings) // 2


def _pairs(tables: list[Table], rows: pa.Table, classifiers: list[Classifier]) -> list[Pair]:
  """Every zero-shot classifier against every supervised one, at the middle settings."""
  pairs = []
  for table in tables:
    cells = {classifier: found[_middle(table)] for classifier, found in table.lines}
    setting = table.settings[_middle(table)]
    for first, second in itertools.product(classifiers, classifiers):
      one, two = cells[first], cells[second]
      if first.supervised or not second.supervised or not (one and two):
        continue
      ids = (one["cell"], two["cell"])
      comparison = metrics.compare(rows, *ids)
      pairs.append(Pair(first, second, f"{table.perturbation} {setting}".strip(), ids, comparison))
  return pairs


def _albums(tables: list[Table], rows: pa.Table, class_names: list[str]) -> list[Album]:
  """For each model, with its first prompt set: each perturbation at its middle setting."""
  albums = []
  for table in tables[1:]:
    seen: set[str] = set()
    for (classifier, cells), (_, (clean, *_)) in zip(table.lines, tables[0].lines, strict=True):
      cell = cells[_middle(table)]
      if classifier.model in seen or not (cell and clean):
        continue
      seen.add(classifier.model)
      found = gallery.pictures(rows, cell["cell"], clean["cell"], class_names)
      name = f"{table.perturbation}, {table.axis} {table.settings[_middle(table)]}"
      albums.append(Album(classifier, name, found))
  return [album for album in albums if album.pictures]
