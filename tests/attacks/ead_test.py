"""EAD against a closed form and a loop in torch; its two rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import minnorm as reference
from references import passes

from jaxbench import attacks, errors

KEY = jax.random.key(0)


def test_each_step_equals_torch(tiny, examples):
  """One search, from the first step to its first look at progress."""
  images, labels = examples
  attack = attacks.ead(steps=150, searches=1, initial_constant=0.3, confidence=0.5, keep_going=True)
  state = jax.vmap(attack.init, (attacks.Example(None, 0, 0, None),))(
    attacks.Example(KEY, images, labels, jnp.float32(jnp.inf))
  )
  step = jax.jit(jax.vmap(attack.step, (None, 0)))
  theirs = reference.ead(
    reference.tiny(tiny),
    torch.tensor(images),
    torch.tensor(labels).long(),
    constant=torch.full((len(images),), 0.3),
    steps=150,
    confidence=0.5,
  )
  for _, (x, _) in zip(range(15), theirs, strict=False):
    state = step(tiny, state)
    np.testing.assert_allclose(state.point, x, atol=1e-4)


@pytest.mark.slow
def test_each_rule_is_best_by_itself(tiny, examples):
  images, labels = examples
  smallest = {
    rule: attacks.minimal_epsilon(
      attacks.ead(steps=60, searches=3, initial_constant=0.1, rule=rule, keep_going=True),
      tiny,
      images,
      labels,
      100.0,
      key=KEY,
      slots=1,
    )
    for rule in ("en", "l1")
  }
  deltas = {rule: (x.adversarial - images).reshape(len(images), -1) for rule, x in smallest.items()}
  l1 = {rule: np.abs(delta).sum(axis=1) for rule, delta in deltas.items()}
  net = {rule: 0.01 * l1[rule] + np.square(delta).sum(axis=1) for rule, delta in deltas.items()}
  assert all(np.isfinite(x.epsilon).all() for x in smallest.values())
  assert (l1["l1"] <= l1["en"]).all()
  assert (net["en"] <= net["l1"]).all()
  assert (l1["l1"] < 0.99 * l1["en"]).any()
  assert (net["en"] < 0.99 * net["l1"]).any()


def test_on_a_linear_classifier_it_finds_the_nearest_point_of_the_boundary(linear):
  """In l1 that is along the steepest coordinates alone."""
  classifier, images, labels, distances = reference.two_classes(linear, "l1")
  attack = attacks.ead(
    steps=200, searches=9, initial_constant=0.01, regularization=0.05, rule="l1", keep_going=True
  )
  smallest = attacks.minimal_epsilon(attack, classifier, images, labels, 100.0, key=KEY, slots=1)
  assert (smallest.epsilon >= distances * (1 - 1e-4)).all()
  np.testing.assert_allclose(smallest.epsilon, distances, rtol=0.06, atol=2e-3)


def test_failure_returns_the_clean_image(tiny, examples):
  images, labels = examples
  result = attacks.run(attacks.ead(steps=3, searches=2), tiny, images, labels, 1e-3, KEY, slots=1)
  assert not result.success.any()
  np.testing.assert_array_equal(result.adversarial, images)


def test_a_step_takes_the_passes_that_are_counted(tiny, examples):
  attack = attacks.ead()
  assert passes.taken(attack, tiny, *examples) == (attack.forwards, attack.backwards) == (2, 1)


@pytest.mark.parametrize(
  "arguments", [{"steps": 0}, {"learning_rate": 0.0}, {"regularization": -1.0}, {"rule": "l2"}]
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.ead(**arguments)
