"""Against loops over the groups in NumPy and SciPy."""

import jax
import numpy as np
import pytest
from scipy import special

from jaxbench import errors, models
from jaxbench.data import label_spaces

GROUPS = ((3,), (9, 0, 4), (), (1, 2), (8,))


# Its images are its logits.
IDENTITY = jax.tree_util.Partial(lambda images: images)


@pytest.fixture(scope="module")
def logits():
  return np.random.default_rng(0).normal(scale=5, size=(6, 10)).astype(np.float32)


def test_the_largest_logit_of_a_group_counts(logits):
  found = models.pooled(IDENTITY, GROUPS)(logits)
  expected = np.array([[row[list(g)].max() if g else np.inf for g in GROUPS] for row in logits])
  expected[:, 2] = expected.min(axis=1)
  np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_the_mean_probability_of_a_group_counts(logits):
  groups = [group for group in GROUPS if group]
  found = models.pooled(IDENTITY, groups, "mean")(logits)
  probabilities = special.softmax(logits.astype(np.float64), axis=1)
  means = np.stack([probabilities[:, list(group)].mean(axis=1) for group in groups], axis=1)
  offset = special.logsumexp(logits, axis=1, keepdims=True)
  np.testing.assert_allclose(found, np.log(means) + offset, atol=1e-5)
  np.testing.assert_array_equal(np.argmax(found, axis=1), np.argmax(means, axis=1))


def test_a_class_without_members_is_never_predicted_however_low_the_logits():
  logits = np.full((1, 10), -50, np.float32)
  logits[0, 8] = -49
  assert np.argmax(models.pooled(IDENTITY, GROUPS)(logits)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("pool", models.POOLS)
def test_gradients_reach_the_members_alone_and_are_finite(logits, pool):
  classifier = models.pooled(IDENTITY, GROUPS, pool)
  slope = jax.grad(lambda images: classifier(images)[0, 1])(logits[:1])[0]
  assert np.isfinite(slope).all()
  assert slope.sum() == pytest.approx(1)
  assert set(np.flatnonzero(slope)) <= {9, 0, 4}


def test_wrong_groups_are_refused(logits):
  with pytest.raises(errors.InputError, match="holds class 10, the classifier has 10 classes"):
    models.pooled(IDENTITY, ((0,), (10,)))(logits)
  with pytest.raises(errors.InputError, match="holds class -1"):
    models.pooled(IDENTITY, ((0,), (-1,)))
  with pytest.raises(errors.InputError, match="at least one class with a member"):
    models.pooled(IDENTITY, ((), ()))
  with pytest.raises(errors.InputError, match="unknown pool 'sum'"):
    models.pooled(IDENTITY, GROUPS, "sum")


def test_objectnet_is_right_where_the_best_of_its_125_columns_counts_as_the_folder():
  """The rule of imagenet-testbed: no pooling, but a set of right answers."""
  space = label_spaces.objectnet()
  logits = np.random.default_rng(1).normal(size=(200, 1000)).astype(np.float32)
  found = np.argmax(models.pooled(IDENTITY, space.imagenet)(logits), axis=1)
  columns = np.concatenate([np.array(group) for group in space.imagenet])
  best = columns[np.argmax(logits[:, columns], axis=1)]
  assert all(winner in space.imagenet[row] for winner, row in zip(best, found, strict=True))
