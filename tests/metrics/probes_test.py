"""Figures of probes from scores that are written by hand."""

import numpy as np
import pytest

from jaxbench import metrics, records


def _rows(examples, scores, ties_are_right=False):
  scores = np.array(scores, np.float32)
  lead = scores[:, 1:] - scores[:, :1]
  rank, tied = (lead > 0).sum(axis=1), (lead == 0).sum(axis=1)
  wrong = (rank > 0) | ((tied > 0) & (not ties_are_right))
  none = np.zeros(len(scores), np.int32)
  columns = {
    "example": examples,
    "label": none,
    "clean_prediction": wrong,
    "prediction": wrong,
    "rank": rank,
    "tied": tied,
    "scores": list(scores),
    "forwards": none,
    "backwards": none,
  }
  shared = {"cell": "c", "model": "m", "data": "probe", "prompts": "raw captions"}
  return records.table(shared | {"perturbation": "clean"}, columns)


def test_ties_are_misses_or_hits_as_the_authors_count_them():
  """SugarCrepe and ARO's pairs: misses; CLIP_benchmark and ARO's order sets: hits."""
  scores = [[2, 1], [1, 1], [0, 1], [3, 1]]
  names = ["all/0", "all/1", "all/2", "all/3"]
  (strict,) = metrics.probes(_rows(names, scores))
  (lenient,) = metrics.probes(_rows(names, scores, ties_are_right=True))
  assert (strict.accuracy.value, lenient.accuracy.value) == (0.5, 0.75)
  for found in (strict, lenient):
    assert (found.without_ties, found.with_ties) == (0.5, 0.75)
    assert (found.cases, found.options) == (4, 2)


def test_means_over_kinds_are_not_those_over_cases():
  names = [f"on/{n}" for n in range(30)] + ["under/0", "under/1"]
  scores = [[1, 0]] * 30 + [[0, 1]] * 2
  (found,) = metrics.probes(_rows(names, scores))
  assert found.accuracy.value == pytest.approx(30 / 32)
  assert found.mean_of_kinds == 0.5
  assert found.mean_of_frequent_kinds == 1
  assert found.by_kind == {"on": (1, 30), "under": (0, 2)}


def test_winoground_by_its_table():
  """Rows are images with (own caption, other caption): of four pairs, each another outcome."""
  pairs = {
    "group": [[5, 1], [5, 1]],
    "text alone": [[9, 8], [3, 2]],  # The second caption is nearer to the first image: 8 > 3.
    "image alone": [[4, 5], [7, 1]],  # The first image prefers the other caption.
    "tie": [[4, 4], [5, 1]],  # No preference is not the right one; its captions have theirs.
  }
  names = [f"{pair}/image_{place}" for pair in pairs for place in (0, 1)]
  (found,) = metrics.probes(_rows(names, [scores for pair in pairs.values() for scores in pair]))
  assert found.pairs == metrics.Winoground(text=2 / 4, image=3 / 4, group=1 / 4)
  assert list(found.by_kind) == ["all"]


def test_a_probe_has_neither_recall_nor_top_5():
  rows = _rows(["all/0", "all/1"], [[1, 0], [0, 1]])
  assert metrics.recalls(rows).num_rows == 0
  (line,) = metrics.summarize(rows).to_pylist()
  assert line["accuracy"] == 0.5
  assert line["top_5_accuracy"] is None
  assert line["mean_average_precision"] is None
