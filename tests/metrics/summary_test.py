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


def test_effective_robustness_is_only_of_what_is_known():
  cell = {"model": "m", "prompts": None, "perturbation": "clean"}
  videos = {"data": "imagenet-vid-robust", "accuracy": 0.7, "pm_accuracy": None}
  rest = [("imagenet", 1.0), ("imagenet-sketch", 0.5), ("imagenet-r", 0.5)]
  rows = [cell | videos] + [
    cell | {"data": name, "accuracy": accuracy, "pm_accuracy": None} for name, accuracy in rest
  ]
  (found,) = metrics.summarize_shifts(pa.Table.from_pylist(rows)).to_pylist()
  assert (found["shift"], found["standard"], found["accuracy"]) == ("imagenet-sketch", 1, 0.5)
  assert found["effective_robustness"] is None  # No logit of a standard of 1.
  assert "-" in metrics.overview_shifts(metrics.summarize_shifts(pa.Table.from_pylist(rows)))
  assert metrics.overview_shifts(metrics.summarize_shifts(pa.Table.from_pylist(rows[:1]))) == ""


def test_per_class_accuracy_of_a_cell_weighs_classes_alike():
  shared = {"cell": "c", "model": "m", "data": "d", "perturbation": "clean"}
  zeros = [0] * 4
  columns = {"example": list("abcd"), "label": [0, 0, 0, 1], "prediction": [0, 0, 2, 1]}
  columns |= {"clean_prediction": zeros, "forwards": zeros, "backwards": zeros}
  (found,) = metrics.summarize(records.table(shared, columns)).to_pylist()
  assert found["accuracy"] == 0.75
  assert found["per_class_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
  assert found["top_5_accuracy"] is None


def test_published_corruptions_are_cells_of_one_data_set():
  shared = {"cell": "c", "model": "m", "perturbation": "clean"}
  columns = {"example": ["a", "b"], "label": [0, 1], "clean_prediction": [0, 0]}
  columns |= {"forwards": [1, 1], "backwards": [0, 0]}
  verdicts = {"imagenet": [0, 1], "imagenet-c/fog/3": [0, 0], "imagenet-c/fog/5": [1, 0]}
  verdicts |= {"imagenet-r": [0, 0]}
  tables = [
    records.table(shared | {"data": name}, columns | {"prediction": found})
    for name, found in verdicts.items()
  ]
  rows = metrics.corrupted_on_disk(pa.concat_tables(tables).unify_dictionaries())
  assert rows.schema == records.SCHEMA
  found = metrics.correct_by_cell(rows, "m", None, "imagenet-c")
  assert {key: values.tolist() for key, values in found.items()} == {
    ("clean", 0): [True, True],
    ("fog", 3): [True, False],
    ("fog", 5): [False, False],
  }
