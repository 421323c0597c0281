"""DeepFool against closed forms and a loop in torch; what few candidates lose."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import minnorm as reference
from references import passes

from jaxbench import attacks, errors
from jaxbench.attacks.engine import slots

KEY = jax.random.key(0)
DUAL = {"linf": 1, "l2": 2}


def _begin(attack, images, labels):
  return jax.vmap(attack.init, (attacks.Example(None, 0, 0, None),))(
    attacks.Example(KEY, images, labels, jnp.float32(jnp.inf))
  )


def _step(attack, classifier, state):
  return slots.where(
    state.progress.done, state, jax.vmap(attack.step, (None, 0))(classifier, state)
  )


def _searched(attack, classifier, images, labels):
  """The state when all is done, on which epsilon has no influence."""

  def run(classifier, state):
    return jax.lax.while_loop(
      lambda state: ~state.progress.done.all(),
      lambda state: _step(attack, classifier, state),
      state,
    )

  return jax.jit(run)(classifier, _begin(attack, images, labels))


@pytest.mark.parametrize("norm", DUAL)
def test_each_step_equals_torch(norm, tiny, examples):
  images, labels = examples
  attack = attacks.deepfool(norm=norm)
  state, step = _begin(attack, images, labels), jax.jit(functools.partial(_step, attack))
  clean, classes = torch.tensor(images), torch.tensor(labels).long()
  theirs = list(reference.deepfool(reference.tiny(tiny), clean, classes, norm=norm))
  assert len(theirs) > 3
  for x, _ in theirs:
    ours = np.clip(images + 1.02 * np.asarray(state.total), 0, 1)
    np.testing.assert_allclose(ours, x, atol=1e-5)
    state = step(tiny, state)
  assert state.progress.done.all()
  np.testing.assert_allclose(state.image, ours, atol=1e-6)
  assert state.progress.count.min() < state.progress.count.max() == len(theirs) - 1


@pytest.mark.parametrize("norm", DUAL)
def test_one_step_crosses_the_boundary_of_a_linear_classifier(norm, linear):
  classifier, images, labels, distances = reference.two_classes(linear, norm)
  state = _searched(attacks.deepfool(norm=norm, overshoot=0.1), classifier, images, labels)
  np.testing.assert_array_equal(state.progress.count, 1)
  np.testing.assert_allclose(state.distance, 1.1 * (distances + 1e-4), rtol=1e-4, atol=1e-7)


def _assert_ten_candidates_are_enough(norm, classifier, images, labels):
  ten, every = (
    np.asarray(_searched(attack, classifier, images, labels).distance)
    for attack in (attacks.deepfool(norm=norm, candidates=n) for n in (10, 100))
  )
  assert ten.mean() < 1.01 * every.mean()
  assert (ten <= 1.001 * every).mean() > 0.95
  return every


@pytest.mark.slow
@pytest.mark.parametrize("norm", DUAL)
def test_ten_candidates_lose_nothing_against_a_hundred_classes(norm):
  draw = np.random.default_rng(0)
  weights = [draw.normal(size=shape).astype(np.float32) for shape in ((192, 64), (64, 100))]
  classifier = jax.tree_util.Partial(
    lambda w, x: jax.nn.gelu(x.reshape(len(x), -1) @ w[0] - 1) @ w[1], weights
  )
  images = draw.random((32, 8, 8, 3), np.float32)
  labels = np.asarray(classifier(images).argmax(axis=1), np.int32)
  every = _assert_ten_candidates_are_enough(norm, classifier, images, labels)
  two = _searched(attacks.deepfool(norm=norm, candidates=2), classifier, images, labels).distance
  assert two.mean() > 1.02 * every.mean()  # So the comparison can fail.


@pytest.mark.slow
def test_ten_candidates_lose_next_to_nothing_on_digits_of_a_hundred_names(classifier, scans):
  """Ten names for each digit, whose embeddings are a little apart."""
  text = np.repeat(np.asarray(classifier.text), 10, axis=1)
  text += 0.1 * np.random.default_rng(0).normal(size=text.shape).astype(np.float32)
  names = classifier.replace(text=jnp.asarray(text / np.linalg.norm(text, axis=0)))
  images = scans[0][:24]
  labels = np.asarray(jax.jit(lambda c, x: c(x).argmax(axis=1))(names, images), np.int32)
  _assert_ten_candidates_are_enough("linf", names, images, labels)


@pytest.mark.slow
def test_what_is_outside_the_ball_is_no_success(tiny, examples):
  images, labels = examples
  attack = attacks.deepfool()
  smallest = attacks.minimal_epsilon(attack, tiny, images, labels, 1.0, key=KEY, slots=1)
  assert np.isfinite(smallest.epsilon).all()
  assert (smallest.backwards == 9 * smallest.steps).all()
  epsilon = np.sort(smallest.epsilon)[11:13].mean()
  result = attacks.run(attack, tiny, images, labels, epsilon, KEY, slots=1)
  np.testing.assert_array_equal(result.success, smallest.epsilon < epsilon)
  np.testing.assert_array_equal(result.steps, smallest.steps)
  np.testing.assert_array_equal(result.adversarial[~result.success], images[~result.success])


def test_a_step_takes_the_passes_that_are_counted(tiny, examples):
  attack = attacks.deepfool(candidates=4)
  assert passes.taken(attack, tiny, *examples) == (attack.forwards, attack.backwards) == (2, 3)


@pytest.mark.parametrize(
  "arguments", [{"steps": 0}, {"candidates": 1}, {"overshoot": -0.1}, {"norm": "l1"}]
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.deepfool(**arguments)
