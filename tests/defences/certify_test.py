"""Certificates against scipy, and on a linear classifier, whose radius is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxbench import defences, errors

SIGMA = 0.5


@pytest.fixture(scope="module")
def smoothed():
  weights = np.zeros((12, 2), np.float32)
  weights[:, 1] = np.random.default_rng(0).normal(size=12) / 4
  linear = jax.tree_util.Partial(lambda w, x: (x - 0.5).reshape(len(x), -1) @ w, weights)
  return defences.smooth(linear, sigma=SIGMA)


@pytest.fixture(scope="module")
def images():
  return np.random.default_rng(1).random((40, 2, 2, 3), np.float32)


@pytest.mark.parametrize("counts", [(0, 1000), (990, 1000), (1000, 1000), (1, 50)])
def test_the_bound_is_clopper_and_pearsons(counts):
  agreeing, samples = counts
  interval = stats.binomtest(agreeing, samples, alternative="greater").proportion_ci(0.999)
  bound = defences.lower_bound(np.array([agreeing]), samples, 0.001)[0]
  assert bound == pytest.approx(interval.low, abs=1e-9)
  if counts == (990, 1000):
    assert bound == pytest.approx(0.97604, abs=5e-6)


def test_radii_of_a_linear_classifier_stay_below_its_distance_to_the_boundary(smoothed, images):
  logits = np.asarray(smoothed.classifier(jnp.asarray(images)))[:, 1]
  weights = np.asarray(jax.tree.leaves(smoothed.classifier)[0])[:, 1]
  distances = np.abs(logits) / np.linalg.norm(weights)
  found = defences.certify(smoothed, images, jax.random.key(0), selection=50, samples=1000)
  sure = found.prediction != defences.ABSTAINS
  assert sure.mean() > 0.5
  np.testing.assert_array_equal(found.prediction[sure], (logits > 0)[sure])
  assert (found.radius[sure] < distances[sure]).all() and (found.radius[~sure] == 0).all()
  # Nor far below: of a linear classifier the bound is loose by chance alone.
  far = sure & (distances < SIGMA)
  assert (found.radius[far] > distances[far] - 0.2).all()
  assert found.radius.max() <= SIGMA * stats.norm.ppf(0.001 ** (1 / 1000)) + 1e-9
  accuracy = found.accuracy(np.where(logits > 0, 1, 0), np.array([0.0, 0.1, 9.0]))
  assert accuracy[0] == sure.mean() >= accuracy[1] > accuracy[2] == 0


def test_it_abstains_at_a_tie_and_predicts_far_from_it(smoothed):
  tie = np.full((1, 2, 2, 3), 0.5, np.float32)
  weights = np.asarray(jax.tree.leaves(smoothed.classifier)[0])[:, 1].reshape(2, 2, 3)
  both = np.concatenate([tie, tie + 0.5 * np.sign(weights)])
  found = defences.predict(smoothed, both, jax.random.key(2), samples=200)
  assert found[0] == defences.ABSTAINS and found[1] == 1
  certified = defences.certify(smoothed, both, jax.random.key(3), samples=200)
  assert certified.prediction[0] == defences.ABSTAINS


def test_numbers_that_certify_nothing_are_refused(smoothed, images):
  with pytest.raises(errors.InputError, match="0 < alpha < 1"):
    defences.certify(smoothed, images, jax.random.key(0), alpha=0.0)
