"""Goals: what an attack is to reach, as the engine, its attacks and its judge see it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, errors, models, retrieval

OWNERS = np.array([0, 0, 1, 1, 1, 2, 3, 3], np.int32)
SIDE, CLASSES = 4, len(OWNERS)


def _logits(count=64):
  return np.random.default_rng(0).normal(size=(count, CLASSES)).astype(np.float32)


def _excess(goal, logits, labels):
  return np.asarray(attacks.Aimed(None, goal).excess(jnp.asarray(logits), jnp.asarray(labels)))


def test_beyond_one_is_misclassification_of_pooled_logits():
  logits, labels = _logits(), np.arange(64, dtype=np.int32) % 4
  groups = [np.flatnonzero(owner == OWNERS) for owner in range(4)]
  pooled = models.pooled(jax.tree_util.Partial(lambda images: images[:, 0, :, 0]), groups)
  images = jnp.broadcast_to(jnp.asarray(logits)[:, None, :, None], (64, 1, CLASSES, 3))
  answers = np.asarray(pooled(images))
  fooled = answers.argmax(axis=1) != labels
  assert fooled.any()
  assert not fooled.all()
  np.testing.assert_array_equal(_excess(attacks.beyond(1, OWNERS), logits, labels) > 0, fooled)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_beyond_k_is_a_rank_of_k(k):
  """Own captions are left out, ties reach nothing, as in ranks."""
  logits, labels = np.round(_logits(), 1), np.arange(64, dtype=np.int32) % 4
  own = jnp.asarray(retrieval.members(OWNERS)[labels])
  found = retrieval.judged(jnp.asarray(logits), own, jnp.asarray(OWNERS), jnp.float32(0.01))
  goal = attacks.beyond(k, OWNERS, tolerance=0.01)
  np.testing.assert_array_equal(_excess(goal, logits, labels) > 0, np.asarray(found.rank) >= k)


def test_goals_by_hand():
  logits = np.array([[1.0, 3.0, 2.0], [4.0, 0.0, 5.0]], np.float32)
  labels = np.array([0, 1], np.int32)
  expected = {
    attacks.misclassify: [2, 5],
    lambda: attacks.pair([1, 0]): [2, 4],
    lambda: attacks.pair([2, 2], [1, 0]): [-1, 1],
    lambda: attacks.towards(2): [-1, 1],
    lambda: attacks.towards([1, 0, 0]): [1, -1],
  }
  for make, margins in expected.items():
    np.testing.assert_allclose(_excess(make(), logits, labels), margins)
  broken = np.array([[np.nan, 0, 0]], np.float32)
  assert (_excess(attacks.towards(1), broken, labels[:1]) > 0).all()


def test_what_no_goal_can_be_is_refused():
  with pytest.raises(errors.InputError, match="k=6"):
    attacks.beyond(6, OWNERS)
  with pytest.raises(errors.InputError, match="wrong logits"):
    attacks.pair([1, 2, 3], [0])


@pytest.fixture(scope="module")
def linear():
  """A linear classifier of images, and images that it sees at 0.5 grey and around."""
  draw = np.random.default_rng(1)
  weights = draw.normal(size=(SIDE * SIDE * 3, CLASSES)).astype(np.float32) / 4
  classifier = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, jnp.asarray(weights))
  images = (0.5 + 0.05 * draw.normal(size=(24, SIDE, SIDE, 3))).astype(np.float32)
  return classifier, images, weights


def _needed(images, weights, towards, away):
  """The radius in linf at which one logit reaches another, in closed form."""
  direction = weights[:, towards] - weights[:, away]
  lead = images.reshape(len(images), -1) @ direction
  return -lead / np.abs(direction).sum(axis=0)


def _run(attack, linear, labels, goal, epsilon=0.1):
  classifier, images, _ = linear
  return attacks.run(attack, classifier, images, labels, epsilon, jax.random.key(0), goal=goal)


@pytest.mark.parametrize("name", ["pgd", "apgd", "square"])
def test_a_pair_is_attacked_up_to_its_closed_form(name, linear):
  """White box attacks reach it wherever it can be; others nowhere else."""
  _, images, weights = linear
  negative = np.array([3, 2, 5, 6])
  labels = np.arange(24, dtype=np.int32) % 4
  needed = np.array(
    [_needed(images[row : row + 1], weights, negative[k], k)[0] for row, k in enumerate(labels)]
  )
  epsilon = float(np.median(needed[needed > 0]))
  attack = {
    "pgd": attacks.pgd(steps=10),
    "apgd": attacks.apgd(steps=10),
    "square": attacks.square(queries=20),
  }[name]
  result = _run(attack, linear, labels, attacks.pair(negative), epsilon)
  possible = needed < epsilon - 1e-4
  assert not result.success[needed > epsilon + 1e-4].any()
  np.testing.assert_array_equal(result.steps[needed < 0], 0)
  assert result.success[needed < 0].all()
  if name != "square":
    assert result.success[possible].all()
  assert result.success.any()
  logits = result.adversarial.reshape(24, -1) @ weights
  reached = logits[np.arange(24), negative[labels]] > logits[np.arange(24), labels]
  np.testing.assert_array_equal(result.success, reached)


@pytest.mark.slow
def test_a_targeted_attack_succeeds_at_its_target_alone(linear):
  classifier, images, _ = linear
  clean = np.asarray(classifier(images)).argmax(axis=1)
  target = (clean + 1) % CLASSES
  goal = attacks.towards((np.arange(CLASSES) + 1) % CLASSES)
  result = _run(attacks.pgd(steps=10), linear, clean.astype(np.int32), goal, 0.4)
  np.testing.assert_array_equal(result.success, result.prediction == target)
  untargeted = attacks.run(
    attacks.pgd(steps=10), classifier, images, clean.astype(np.int32), 0.4, jax.random.key(0)
  )
  assert 0 < result.success.sum() <= untargeted.success.sum()


def test_each_image_may_have_a_target_of_its_own(linear):
  classifier, images, _ = linear
  clean = np.asarray(classifier(images)).argmax(axis=1).astype(np.int32)
  targets = (clean + 1 + np.arange(len(clean)) % (CLASSES - 1)) % CLASSES
  epsilons = np.where(np.arange(len(clean)) % 2, 0.4, 0.0)
  asked = attacks.pgd(steps=10), classifier, images, clean, epsilons, jax.random.key(0)
  result = attacks.run(*asked, targets=targets)
  np.testing.assert_array_equal(result.success, result.prediction == targets)
  np.testing.assert_array_equal(result.success, epsilons > 0)
  for row in np.flatnonzero(result.success)[:2]:  # Alike towards the same class for all.
    same = attacks.run(*asked, goal=attacks.towards(int(targets[row])))
    np.testing.assert_allclose(result.adversarial[row], same.adversarial[row], atol=1e-5)
  with pytest.raises(errors.InputError, match="the target of image 0 is its label"):
    attacks.run(*asked, targets=clean)
  with pytest.raises(errors.InputError, match="the one or the other"):
    attacks.run(*asked, targets=targets, goal=attacks.towards(0))


def test_recall_at_two_takes_more_than_recall_at_one(linear):
  labels = np.arange(24, dtype=np.int32) % 4
  sizes = []
  for k in (1, 2):
    classifier, images, _ = linear
    sizes.append(
      attacks.minimal_epsilon(
        attacks.pgd(steps=5),
        classifier,
        images,
        labels,
        0.5,
        0.01,
        key=jax.random.key(0),
        goal=attacks.beyond(k, OWNERS),
      ).epsilon
    )
  assert (sizes[0] <= sizes[1] + 0.02).all()
  assert (sizes[0] < sizes[1]).any()
  with pytest.raises(errors.InputError, match="randomised"):
    attacks.run(
      attacks.pgd(steps=2),
      *(linear[0], linear[1], labels, 0.1, jax.random.key(0)),
      goal=attacks.misclassify(),
      evaluations=2,
    )
