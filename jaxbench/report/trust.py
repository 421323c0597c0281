"""Sections on how far a classifier can be relied on: its confidence, and its worst classes."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import metrics
from jaxbench.records import kinds
from jaxbench.report import plots
from jaxbench.report.classifiers import ByCell, Classifier, Row, cells_of, tables_of

_ROOM = 22  # Letters of a title.


class Calibration(NamedTuple):
  """The calibration on a data set."""

  columns: list[str]
  lines: list[tuple[Classifier, list[float | None]]]  # Expected calibration errors.
  plots: list[str]  # SVGs: reliability on clean images, a model each.


class Weak(NamedTuple):
  """The worst classes of one classifier under one kind of perturbation."""

  classifier: Classifier
  perturbation: str
  classes: list[metrics.ClassAccuracy]


# By kind, under which name cells are taken together; other kinds are not told of.
_GROUPS = {
  kinds.CLEAN: "{perturbation}",
  kinds.CORRUPTION: "corruptions",
  kinds.STYLIZATION: "{perturbation}",
  kinds.TYPOGRAPHY: "{perturbation}",
  kinds.UNIVERSAL: "{perturbation} {setting}",
  kinds.ATTACK: "{perturbation} {setting}",
}


def groups_of(cells: list[Row]) -> dict[str, list[Row]]:
  """Clean, all corruptions together, words, and attacks at each epsilon, by their names."""
  groups: dict[str, list[Row]] = {}
  for cell in cells:
    if cell["kind"] in _GROUPS:
      groups.setdefault(_GROUPS[cell["kind"]].format_map(cell), []).append(cell)
  return groups


def calibration(
  cells: list[Row], by_cell: ByCell, summary: dict[str, Row], classifiers: list[Classifier]
) -> Calibration | None:
  """How far confidence is from accuracy, where nothing attacks; the mean over cells of a kind."""
  attacks = (kinds.ATTACK, kinds.UNIVERSAL)
  groups = groups_of([cell for cell in cells if cell["kind"] not in attacks])
  lines = []
  curves: dict[str, list[plots.Reliability]] = {}
  for classifier in classifiers:
    values = []
    for group in groups.values():
      rows = [summary[cell["id"]] for cell in cells_of(classifier, group) if cell["id"] in summary]
      errors = [row["calibration_error"] for row in rows if row["calibration_error"] is not None]
      values.append(float(np.mean(errors)) if errors else None)
    if values.count(None) < len(values):
      lines.append((classifier, values))
    for cell in cells_of(classifier, groups.get("clean", [])):
      table = by_cell.get(cell["id"])
      if table is None or not pc.all(pc.is_valid(table["confidence"])).as_py():
        continue
      bins = metrics.reliability(table["confidence"], metrics.is_correct(table))
      kept = bins.examples > 0
      points = 100 * bins.confidence[kept], 100 * bins.accuracy[kept], bins.examples[kept]
      curve = plots.Reliability(classifier.color, classifier.dash, *points, classifier.choice)
      curves.setdefault(classifier.model, []).append(curve)
  if not curves:
    return None
  drawn = [
    plots.reliability_diagram(plots.brief(name, _ROOM), same) for name, same in curves.items()
  ]
  return Calibration(list(groups), lines, drawn)


def weakest(
  groups: dict[str, list[Row]], by_cell: ByCell, classifiers: list[Classifier]
) -> list[Weak]:
  """Three classes of each classifier and kind of perturbation; all severities count together."""
  weak = []
  for classifier in classifiers:
    for name, group in groups.items():
      tables = tables_of(cells_of(classifier, group), by_cell)
      if tables:
        columns = ["label", "labels", "prediction", "target", "success"]
        rows = pa.concat_tables([table.select(columns) for table in tables])
        correct = metrics.is_correct(rows)
        worst = metrics.worst_classes(rows["label"], rows["prediction"], correct)
        weak.append(Weak(classifier, name, worst))
  return weak
