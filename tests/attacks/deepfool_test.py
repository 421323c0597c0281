"""DeepFool against closed forms and a loop in torch; what few candidates lose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import minnorm as reference

from jaxbench import attacks, errors
from jaxbench.attacks import slots

KEY = jax.random.key(0)
DUAL = {"linf": 1, "l2": 2}


def _searched(attack, classifier, images, labels):
  """The state at the end, on which epsilon has no influence, and all sums of steps [T, B, ...]."""
  start = jax.vmap(attack.init, (None, 0, 0, None))(KEY, images, labels, jnp.float32(jnp.inf))

  def step(classifier, state):
    after = slots.where(state.done, state, jax.vmap(attack.step, (None, 0))(classifier, state))
    return after, after.total

  run = jax.jit(lambda c, state: jax.lax.scan(lambda s, _: step(c, s), state, length=attack.steps))
  return run(classifier, start)


@pytest.mark.parametrize("norm", DUAL)
def test_each_step_equals_torch(norm, tiny, examples):
  images, labels = examples
  state, totals = _searched(attacks.deepfool(norm=norm), tiny, images, labels)
  theirs = list(
    reference.deepfool(
      reference.tiny(tiny), torch.tensor(images), torch.tensor(labels).long(), norm=norm
    )
  )
  assert len(theirs) == state.count.max() + 1 > 3
  assert state.done.all()
  ours = np.clip(images + 1.02 * np.asarray(totals), 0, 1)
  for x, (y, _) in zip(ours, theirs[1:], strict=False):
    np.testing.assert_allclose(x, y, atol=1e-5)
  np.testing.assert_allclose(state.image, ours[-1], atol=1e-6)
  assert len(set(np.asarray(state.count).tolist())) > 1


@pytest.mark.parametrize("norm", DUAL)
def test_one_step_crosses_the_boundary_of_a_linear_classifier(norm, linear):
  classifier, images, labels, distances = reference.two_classes(linear, norm)
  state, _ = _searched(attacks.deepfool(norm=norm, overshoot=0.1), classifier, images, labels)
  np.testing.assert_array_equal(state.count, 1)
  np.testing.assert_allclose(state.distance, 1.1 * (distances + 1e-4), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("norm", DUAL)
def test_ten_candidates_lose_nothing_against_a_hundred_classes(norm):
  draw = np.random.default_rng(0)
  weights = [draw.normal(size=shape).astype(np.float32) for shape in ((192, 64), (64, 100))]
  classifier = jax.tree_util.Partial(
    lambda w, x: jax.nn.gelu(x.reshape(len(x), -1) @ w[0] - 1) @ w[1], weights
  )
  images = draw.random((64, 8, 8, 3), np.float32)
  labels = np.asarray(classifier(images).argmax(axis=1), np.int32)
  two, ten, every = (
    np.asarray(_searched(attack, classifier, images, labels)[0].distance)
    for attack in (attacks.deepfool(norm=norm, candidates=n) for n in (2, 10, 100))
  )
  assert ten.mean() < 1.001 * every.mean()
  assert (ten <= 1.001 * every).mean() > 0.95
  assert two.mean() > 1.02 * every.mean()  # So the comparison can fail.


def test_a_class_of_the_same_name_is_no_boundary(tiny, examples):
  """All logits twice: the label's twin is at distance 0 in a direction of length 0."""
  images, labels = examples
  first, second = tiny.args[0]
  twice = jax.tree_util.Partial(tiny.func, [first, np.tile(second, 2)])
  once, _ = _searched(attacks.deepfool(), tiny, images, labels)
  state, _ = _searched(attacks.deepfool(candidates=20), twice, images, labels)
  np.testing.assert_allclose(state.distance, once.distance, rtol=1e-4)


def test_what_is_outside_the_ball_is_no_success(tiny, examples):
  images, labels = examples
  attack = attacks.deepfool()
  found = attacks.minimal_epsilon(attack, tiny, images, labels, 1.0, key=KEY, slots=1)
  assert np.isfinite(found.epsilon).all()
  assert (found.backwards == 9 * found.steps).all()
  epsilon = np.sort(found.epsilon)[11:13].mean()
  result = attacks.run(attack, tiny, images, labels, epsilon, KEY, slots=1)
  np.testing.assert_array_equal(result.success, found.epsilon < epsilon)
  np.testing.assert_array_equal(result.steps, found.steps)
  np.testing.assert_array_equal(result.adversarial[~result.success], images[~result.success])


@pytest.mark.parametrize(
  "arguments", [{"steps": 0}, {"candidates": 1}, {"overshoot": -0.1}, {"norm": "l1"}]
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.deepfool(**arguments)
