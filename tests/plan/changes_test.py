"""Flips and top-5 distances against the paper's sums, ranks by scipy."""

import numpy as np
import pytest
from scipy import stats

from jaxbench import metrics
from jaxbench.plan.perturbations import changes


def _distance(before, after):
  """The paper's double sum, over permutations."""
  first, second = (stats.rankdata(-logits, method="ordinal") for logits in (before, after))
  moved = second[np.argsort(first)]  # s(i): the rank of the class that was ranked i.
  return sum(
    1 <= j - 1 <= 5
    for i in range(1, min(5, len(moved)) + 1)
    for j in range(min(i, moved[i - 1]) + 1, max(i, moved[i - 1]) + 1)
  )


def _by_hand(logits, is_noise, difficulty):
  """FP and uT5D, stride by stride."""
  flips, distances = [], []
  for offset in range(1 if is_noise else difficulty):
    strided = logits[offset :: 1 if is_noise else difficulty]
    for number, after in enumerate(strided[1:]):
      before = strided[0] if is_noise else strided[number]
      flips.append(before.argmax() != after.argmax())
      distances.append(_distance(before, after))
  return np.mean(flips), np.mean(distances)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [3, 12])
@pytest.mark.parametrize(("is_noise", "difficulty"), [(True, 1), (True, 3), (False, 1), (False, 3)])
def test_stability_is_the_papers(classes, is_noise, difficulty):
  draw = np.random.default_rng(classes)
  start = draw.normal(size=classes)
  logits = np.round(start + draw.normal(size=(9, classes)), 1).astype(np.float32)  # Ties happen.
  found = changes.stability(logits, is_noise=is_noise, difficulty=difficulty)
  expected = _by_hand(logits, is_noise, difficulty)
  np.testing.assert_allclose((found.flips, found.top5_distance), expected, rtol=1e-6)
  assert expected[1] > 0


def test_the_largest_distance_is_fifteen_and_the_same_frame_has_none():
  before = np.arange(20, 0, -1, dtype=np.float32)
  found = changes.change(before, before[::-1].copy())
  assert (float(found.flips), float(found.top5_distance)) == (1, 15)
  same = changes.change(np.zeros(20, np.float32), np.zeros(20, np.float32))
  assert (float(same.flips), float(same.top5_distance)) == (0, 0)


@pytest.mark.parametrize("is_noise", [True, False])
def test_flips_are_those_of_the_column_form(is_noise):
  logits = np.random.default_rng(0).normal(size=(4, 7, 5)).astype(np.float32)
  sequence, position = np.divmod(np.arange(28), 7)
  expected = metrics.flip_probability(
    sequence, position, logits.argmax(axis=-1).ravel(), noise=is_noise
  )
  found = [changes.stability(one, is_noise=is_noise).flips for one in logits]
  assert np.mean(found) == pytest.approx(expected, rel=1e-6)


def test_a_broken_model_is_no_stable_one():
  """Frames without numbers flip, from one to the next and from the first."""
  lost = np.full((3, 6), np.nan, np.float32)
  for is_noise in (False, True):
    assert changes.stability(lost, is_noise=is_noise) == (1, 15)
