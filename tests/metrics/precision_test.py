"""Average precision against scikit-learn and the challenge's own definition."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from jaxbench import metrics, records


@pytest.mark.parametrize("levels", [5, 10**6], ids=["many equal scores", "all differ"])
def test_average_precision_is_scikit_learns(levels):
  draw = np.random.default_rng(0)
  for count in (1, 2, 7, 300):
    score = draw.integers(0, levels, count) / levels
    positive = draw.random(count) < 0.3
    positive[draw.integers(count)] = True
    found = metrics.average_precision(score, positive)
    assert found == pytest.approx(sklearn.average_precision_score(positive, score), abs=1e-12)


def test_eleven_points_are_those_of_the_challenge():
  """As its devkit computes them (VOCevaldet.m), a rank for each image."""
  draw = np.random.default_rng(1)
  for count in (1, 4, 40):
    score = draw.permutation(count)
    positive = draw.random(count) < 0.5
    positive[0] = True
    hits = positive[np.argsort(-score)]
    recall = np.cumsum(hits) / hits.sum()
    precision = np.cumsum(hits) / np.arange(1, count + 1)
    best = [max(precision[recall >= point / 10 - 1e-9], default=0) for point in range(11)]
    assert metrics.eleven_point_precision(score, positive) == pytest.approx(np.mean(best))


def test_without_positives_there_is_no_number():
  with pytest.raises(ValueError, match="no positive"):
    metrics.average_precision([1.0], [False])


def _rows(scores, labels, prediction=None):
  scores = np.asarray(scores, np.float32)
  prediction = scores.argmax(axis=1) if prediction is None else prediction
  return records.table(
    {"cell": "c", "model": "m", "data": "voc", "perturbation": "clean"},
    {
      "example": [str(row) for row in range(len(scores))],
      "label": [each[0] for each in labels],
      "labels": [each if len(each) > 1 else None for each in labels],
      "prediction": prediction,
      "clean_prediction": prediction,
      "scores": list(scores),
      "forwards": [1] * len(scores),
      "backwards": [0] * len(scores),
    },
  )


def test_a_summary_has_the_mean_over_the_classes_that_are_shown():
  draw = np.random.default_rng(2)
  scores = draw.normal(size=(50, 6)).astype(np.float32)
  right = draw.random((50, 6)) < 0.3
  right[:, 5], right[:, 0] = False, right[:, 0] | ~right[:, 1:5].any(axis=1)
  labels = [np.flatnonzero(row).tolist() for row in right]
  (found,) = metrics.summarize(_rows(scores, labels)).to_pylist()
  expected = sklearn.average_precision_score(right[:, :5], scores[:, :5], average="macro")
  assert found["mean_average_precision"] == pytest.approx(expected, abs=1e-9)
  assert found["eleven_point_precision"] != found["mean_average_precision"]
  assert found["accuracy"] == np.mean([right[row, k] for row, k in enumerate(scores.argmax(1))])
  shown = metrics.overview(
    metrics.summarize(_rows(scores, labels)), {"voc": metrics.MEAN_AVERAGE_PRECISION}
  )
  assert "voc (mean average precision)" in shown
  assert f"{100 * expected:.1f}" in shown


def test_logits_that_are_no_numbers_never_count_for_the_model():
  labels = [[0], [1], [0, 1]]
  scores = [[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]]
  perfect = metrics.mean_average_precision(_rows(scores, labels))
  assert perfect == (1, 1)
  broken = _rows([[np.nan, np.nan], *scores[1:]], labels, prediction=[-1, 1, 0])
  full, _ = metrics.mean_average_precision(broken)
  # Class 0: positives at 1 and at the last; class 1: behind the broken one.
  assert full == pytest.approx(np.mean([(1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2]))
  assert metrics.mean_average_precision(broken.slice(0, 0)) is None


def test_a_summary_has_the_mean_per_class_of_scikit_learn():
  draw = np.random.default_rng(3)
  label, scores = draw.choice(4, 60, p=[0.7, 0.1, 0.1, 0.1]), draw.random((60, 4))
  (found,) = metrics.summarize(_rows(scores, [[each] for each in label])).to_pylist()
  expected = sklearn.balanced_accuracy_score(label, scores.astype(np.float32).argmax(axis=1))
  assert found["per_class_accuracy"] == pytest.approx(expected, abs=1e-12)
  assert metrics.headline(metrics.MEAN_PER_CLASS) == "per_class_accuracy"
  assert metrics.headline("") == metrics.headline(metrics.TOP_1) == "accuracy"
