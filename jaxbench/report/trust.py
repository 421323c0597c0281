"""Sections on how far a classifier can be relied on: its confidence, and its worst classes."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import metrics
from jaxbench.report import plots
from jaxbench.report.sections import ByCell, Classifier, Row, of


class Calibration(NamedTuple):
  """Of a data set."""

  columns: list[str]
  lines: list[tuple[Classifier, list[float | None]]]  # Expected calibration errors.
  plot: str  # SVG: reliability on clean images.


class Weak(NamedTuple):
  """The worst classes of one classifier under one kind of perturbation."""

  classifier: Classifier
  perturbation: str
  classes: list[metrics.ClassAccuracy]


Kinds = dict[str, list[Row]]  # Cells of a kind of perturbation, by its name.


def kinds(cells: list[Row], *, attacks: bool) -> Kinds:
  """Clean, all corruptions together, words and, if asked for, attacks at each epsilon."""
  found: Kinds = {}
  for cell in cells:
    if cell["attack"] is not None:
      if attacks and not cell["tolerance"] and not cell.get("surrogate"):
        found.setdefault(f"{cell['perturbation']} {cell['setting']}", []).append(cell)
    elif not cell.get("sequence"):
      name = "corruptions" if cell["severity"] is not None else cell["perturbation"]
      found.setdefault(name, []).append(cell)
  return found


def calibration(
  cells: list[Row], by_cell: ByCell, summary: dict[str, Row], classifiers: list[Classifier]
) -> Calibration | None:
  """How far confidence is from accuracy, where nothing attacks; the mean over cells of a kind."""
  groups = kinds(cells, attacks=False)
  lines, curves = [], []
  for one in classifiers:
    values = []
    for group in groups.values():
      own = [summary[cell["id"]] for cell in of(one, group) if cell["id"] in summary]
      known = [row["calibration_error"] for row in own if row["calibration_error"] is not None]
      values.append(float(np.mean(known)) if known else None)
    lines.append((one, values))
    for cell in of(one, groups.get("clean", [])):
      rows = by_cell.get(cell["id"])
      if rows is None or not pc.all(pc.is_valid(rows["confidence"])).as_py():
        continue
      found = metrics.reliability(rows["confidence"], metrics.is_correct(rows))
      kept = found.examples > 0
      claimed, right = 100 * found.confidence[kept], 100 * found.accuracy[kept]
      curves.append(plots.Reliability(one.color, one.dash, claimed, right, found.examples[kept]))
  if not curves:
    return None
  plot = plots.reliability_diagram("calibration, clean images", curves)
  return Calibration(list(groups), lines, plot)


def weakest(cells: list[Row], by_cell: ByCell, classifiers: list[Classifier]) -> list[Weak]:
  """Three classes of each classifier and kind of perturbation; all severities count together."""
  groups, found = kinds(cells, attacks=True), []
  for one in classifiers:
    for name, group in groups.items():
      own = [by_cell[cell["id"]] for cell in of(one, group) if cell["id"] in by_cell]
      if own:
        columns = ["label", "labels", "prediction", "success"]
        rows = pa.concat_tables([table.select(columns) for table in own])
        correct = metrics.is_correct(rows)
        worst = metrics.worst_classes(rows["label"], rows["prediction"], correct)
        found.append(Weak(one, name, worst))
  return found
