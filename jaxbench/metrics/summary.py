"""From rows per example to one row per cell, and to the table a person reads first."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import records
from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.broken import NOTHING
from jaxbench.metrics.calibration import expected_calibration_error
from jaxbench.metrics.precision import mean_average_precision
from jaxbench.metrics.smallest import summarize_smallest
from jaxbench.metrics.video import pm_k

_COUNTS = ["correct", "clean_correct", "fooled", "followed", "attacked", "top_5", "not_finite"]
_CELL = ["cell", "model", "data", "prompts", "perturbation", "severity", "epsilon"]
_CORRECT = ("label", "labels", "prediction", "target", "success")  # What `is_correct` looks at.
_MEANS = ("flips", "top5_distance")


def is_correct(rows: pa.Table) -> pa.ChunkedArray:
  """Whether the model is right: under attack, whether the attack had no success.

  Where an attack that aims at one class fails, another wrong one may be predicted.
  """
  right = _is_label(rows, "prediction")
  withstood = pc.and_(pc.invert(rows["success"]), pc.or_(pc.is_null(rows["target"]), right))
  return pc.if_else(pc.is_valid(rows["success"]), withstood, right)


def is_example(rows: pa.Table) -> pa.ChunkedArray:
  """Whether a row counts by itself; of videos, anchor frames do and their neighbours do not."""
  return pc.fill_null(pc.equal(rows["offset"], 0), True)


def _is_label(rows: pa.Table, prediction: str) -> pa.ChunkedArray:
  """Whether the classes of the column are right: the label, or one of several."""
  right = pc.equal(rows[prediction], rows["label"])
  if rows["labels"].null_count == len(rows):
    return right
  several = rows["labels"].combine_chunks()
  owners = pc.list_parent_indices(several)
  hits = pc.equal(pc.take(rows[prediction], owners), pc.list_flatten(several))
  right_of_several = np.zeros(len(rows), bool)
  right_of_several[owners.filter(hits.combine_chunks()).to_numpy()] = True
  return pc.or_(right, pa.array(right_of_several))


def summarize(rows: pa.Table) -> pa.Table:
  """One row per cell.

  Of videos, anchor frames are the examples, and their neighbours count in `pm_accuracy` alone.

  Args:
    rows: of `records.read`.

  Returns:
    the cell's columns and `examples`; `correct`, `accuracy` with `accuracy_low` and
    `accuracy_high`, its 95 % Clopper-Pearson interval; `per_class_accuracy`, the mean over classes;
    `mean_average_precision` and `eleven_point_precision`, where rows have `scores`, see
    `metrics.mean_average_precision`; `top_5_accuracy`, where nothing attacks; `clean_correct`, how
    many are right without the perturbation; `not_finite`, how many logits are no numbers, which
    count as wrong, apart from what is misclassified; `calibration_error`, where nothing attacks,
    see `expected_calibration_error`; for attacks `attack_success`, the share of those that the
    attack turned, with `attack_success_low` and `attack_success_high`; for bisections
    `median_epsilon` with `median_epsilon_low` and `median_epsilon_high`, of which
    `summarize_smallest` tells more; for images with a second class, like a word that is written
    there, `followed`, the share of predictions of it, with `followed_low` and `followed_high`, of
    which `typographic` tells more; for videos `pm_accuracy`, with `pm_accuracy_low` and
    `pm_accuracy_high`, see `pm_k`; for sequences of frames `flips` and `top5_distance`, means over
    the examples, of which `flip_rates` tells more, while what is right is the last frame;
    `forwards` and `backwards`, the passes used.

  Example:
    >>> metrics.summarize(records.read("runs/quickstart")).to_pandas()
  """
  clean = _is_label(rows, "clean_prediction")
  of_options = pc.and_(pc.is_valid(rows["tied"]), pc.is_null(rows["direction"]))
  counts = is_example(rows)
  counted = rows.select([*_CELL, *_MEANS, "label", "forwards", "backwards"])
  for name, column in {
    "correct": is_correct(rows),
    "clean_correct": clean,
    "fooled": pc.and_(clean, rows["success"]),  # Null where nothing attacks.
    "followed": pc.equal(rows["prediction"], rows["target"]),  # Null without a target.
    "attacked": pc.if_else(pc.is_valid(rows["success"]), clean, None),
    "top_5": pc.if_else(
      of_options, None, pc.and_(pc.less(rows["rank"], 5), pc.not_equal(rows["prediction"], NOTHING))
    ),
    "not_finite": pc.equal(rows["prediction"], NOTHING),
  }.items():
    shown = pc.if_else(counts, column.cast(pa.int8()), None)
    counted = counted.append_column(name, shown)
  sums = [*_COUNTS, "forwards", "backwards"]
  grouped = counted.group_by(_CELL, use_threads=False).aggregate(
    [
      ("correct", "count"),
      ("followed", "count"),
      *((name, "sum") for name in sums),
      *((name, "mean") for name in _MEANS),
    ]
  )
  further = [
    *(_smallest(rows), _per_class(counted), _precision(rows)),
    *(_calibration(rows), _videos(rows)),
  ]
  lines = []
  for row in grouped.to_pylist():
    if not row["correct_count"]:  # Of a video that has only begun to be run.
      continue
    line = _with_intervals(row)
    for figures_of in further:
      line |= figures_of(row["cell"])
    lines.append(line)
  return pa.Table.from_pylist(lines)


def _smallest(rows: pa.Table) -> Callable[[str], dict]:
  by_cell = {row["cell"]: row for row in summarize_smallest(rows).to_pylist()}
  return lambda cell: {
    f"median_epsilon{end}": by_cell[cell][f"median{end}"] if cell in by_cell else None
    for end in ("", "_low", "_high")
  }


def _per_class(counted: pa.Table) -> Callable[[str], dict]:
  classes = counted.group_by(["cell", "label"]).aggregate([("correct", "mean")])
  cells = classes.group_by("cell").aggregate([("correct_mean", "mean")])
  by_cell = dict(
    zip(cells["cell"].to_pylist(), cells["correct_mean_mean"].to_pylist(), strict=True)
  )
  return lambda cell: {"per_class_accuracy": by_cell[cell]}


def _precision(rows: pa.Table) -> Callable[[str], dict]:
  columns = ["cell", "label", "labels", "prediction", "scores"]
  classes = pc.is_null(rows["tied"])  # Of options there is no class.
  scored = rows.select(columns).filter(pc.and_(pc.is_valid(rows["scores"]), classes))
  by_cell = {cell: mean_average_precision(table) for cell, table in records.by_cell(scored).items()}
  names = ("mean_average_precision", "eleven_point_precision")
  return lambda cell: dict(zip(names, by_cell.get(cell) or (None, None), strict=True))


def _calibration(rows: pa.Table) -> Callable[[str], dict]:
  claimed = pc.and_(is_example(rows), pc.is_valid(rows["confidence"]))
  # Where a logit is no number nothing is claimed; a calibrated model would not do that.
  broken = pc.equal(rows["prediction"], NOTHING)
  confidence = pc.if_else(broken, pa.scalar(1, pa.float32()), rows["confidence"])
  rows = rows.set_column(rows.schema.get_field_index("confidence"), "confidence", confidence)
  columns = ["cell", "confidence", *_CORRECT]
  by_cell = {
    cell: expected_calibration_error(table["confidence"], is_correct(table))
    for cell, table in records.by_cell(rows.select(columns).filter(claimed)).items()
  }
  return lambda cell: {"calibration_error": by_cell.get(cell)}


def _videos(rows: pa.Table) -> Callable[[str], dict]:
  by_cell = {}
  columns = rows.select(["cell", "anchor", "offset", *_CORRECT])
  for cell, frames in records.by_cell(columns.filter(pc.is_valid(rows["anchor"]))).items():
    # A run that is not finished, or an unreadable image, may leave a frame without its anchor.
    anchors = frames.filter(pc.equal(frames["offset"], 0))["anchor"].combine_chunks()
    anchored = frames.filter(pc.is_in(frames["anchor"], anchors))
    by_cell[cell] = (
      pm_k(anchored["anchor"], anchored["offset"], is_correct(anchored)).pm_k
      if len(anchored)
      else None
    )
  return lambda cell: _named("pm_accuracy", by_cell.get(cell))


def _with_intervals(row: dict) -> dict:
  result = {name: row[name] for name in _CELL}
  result["examples"] = row["correct_count"]
  result["correct"] = row["correct_sum"]
  accuracy = proportion(row["correct_sum"], row["correct_count"])
  result |= _named("accuracy", accuracy)
  result["clean_correct"] = row["clean_correct_sum"]
  result["not_finite"] = row["not_finite_sum"]
  attacked = row["attacked_sum"]
  result |= _named("attack_success", proportion(row["fooled_sum"], attacked) if attacked else None)
  followed = row["followed_count"]
  result |= _named("followed", proportion(row["followed_sum"], followed) if followed else None)
  top_5 = row["top_5_sum"]
  result["top_5_accuracy"] = None if top_5 is None else top_5 / row["correct_count"]
  result |= {name: row[f"{name}_mean"] for name in _MEANS}
  return result | {name: row[f"{name}_sum"] for name in ("forwards", "backwards")}


def _named(name: str, share: Proportion | None) -> dict[str, float | None]:
  names = (name, f"{name}_low", f"{name}_high")
  return dict(zip(names, share or (None, None, None), strict=True))
