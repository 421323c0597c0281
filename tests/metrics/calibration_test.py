"""Calibration and error consistency, against loops, scikit-learn, and published figures."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from jaxbench import errors, metrics


def test_calibration_is_the_weighted_distance_of_each_bin():
  confidence, correct = [0.95, 0.9, 0.8, 0.55, 0.3], [1, 1, 0, 1, 0]
  assert metrics.expected_calibration_error(confidence, correct) == pytest.approx(0.34)
  rng = np.random.default_rng(0)
  claimed = np.concatenate([rng.random(300), [0, 1, 0.1, 0.2, 0.3]])
  right = rng.random(305) < claimed**2
  expected = 0.0
  for low in range(10):
    inside = (claimed >= low / 10) & ((claimed < (low + 1) / 10) | (low == 9))
    expected += inside.mean() * abs(right[inside].mean() - claimed[inside].mean())
  found = metrics.expected_calibration_error(claimed, right, bins=10)
  assert found == pytest.approx(expected)
  for wrong in ([], [1.5], [np.nan]):
    with pytest.raises(errors.InputError, match=r"confidences in \[0, 1\]"):
      metrics.expected_calibration_error(wrong, [True] * len(wrong))


def test_error_consistency_is_cohens_kappa():
  rng = np.random.default_rng(0)
  first, second = rng.random((2, 100)) < [[0.8], [0.6]]
  kappa = sklearn_metrics.cohen_kappa_score(first, second)
  assert metrics.error_consistency(first, second) == pytest.approx(kappa)
  # Accuracies 0.8 and 0.7, which agree on three quarters: a figure of model-vs-human.
  rows = np.repeat([(1, 1), (1, 0), (0, 1), (0, 0)], [25, 7, 3, 5], axis=0).T
  assert (rows.mean(axis=1) == [0.8, 0.7]).all()
  assert metrics.error_consistency(*rows) == pytest.approx(0.342105, abs=1e-6)
  assert metrics.error_consistency([1, 1], [1, 1]) == 1
  with pytest.raises(errors.InputError, match="not 1 and 2"):
    metrics.error_consistency([1], [1, 0])
