"""What a summary makes of videos, several labels and classes of different size."""

import pyarrow as pa
import pytest

from jaxbench import metrics, records


def _frames(cell, predictions):
  """An anchor with two labels and a neighbour, and an anchor that has no other label."""
  shared = {"cell": cell, "model": cell, "data": "d", "perturbation": "clean"}
  columns = {
    "example": ["a/0", "a/1", "b/0"],
    "anchor": ["a/0", "a/0", "b/0"],
    "offset": [0, 1, 0],
    "label": [3, 3, 5],
    "labels": [[3, 4], [3, 4], None],
    "prediction": predictions,
    "clean_prediction": predictions,
    "rank": [0, 5, 4],
    "confidence": [1, 1, 1],
    "forwards": [1] * 3,
    "backwards": [0] * 3,
  }
  return records.table(shared, columns)


def test_any_of_several_labels_is_right_and_neighbours_count_in_pm_alone():
  tables = [_frames("m", [4, 0, 5]), _frames("n", [0, 3, 5])]
  rows = pa.concat_tables(tables).unify_dictionaries()
  assert metrics.is_correct(rows).to_pylist() == [True, False, True, False, True, True]
  one, two = metrics.summarize(rows).to_pylist()
  assert (one["examples"], one["accuracy"], one["pm_accuracy"]) == (2, 1, 0.5)
  assert (two["examples"], two["accuracy"], two["pm_accuracy"]) == (2, 0.5, 0.5)
  assert (one["clean_correct"], one["top_5_accuracy"], one["forwards"]) == (2, 1, 3)
  assert (one["calibration_error"], two["calibration_error"]) == (0, 0.5)
  assert metrics.compare(rows, "m", "n")[:3] == (2, 1, 0)


def test_a_run_that_lacks_an_anchor_leaves_its_video_out():
  rows = _frames("m", [3, 3, 5])
  (found,) = metrics.summarize(rows.slice(1)).to_pylist()
  assert (found["examples"], found["pm_accuracy"]) == (1, 1)
  assert metrics.summarize(rows.slice(1, 1)).num_rows == 0


def test_per_class_accuracy_of_a_cell_weighs_classes_alike():
  shared = {"cell": "c", "model": "m", "data": "d", "perturbation": "clean"}
  zeros = [0] * 4
  columns = {"example": list("abcd"), "label": [0, 0, 0, 1], "prediction": [0, 0, 2, 1]}
  columns |= {"clean_prediction": zeros, "forwards": zeros, "backwards": zeros}
  (found,) = metrics.summarize(records.table(shared, columns)).to_pylist()
  assert found["accuracy"] == 0.75
  assert found["per_class_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
  assert found["top_5_accuracy"] is None
