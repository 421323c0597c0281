"""DDN against a closed form and a loop in torch."""

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
  images, labels = examples
  attack = attacks.ddn(steps=40, initial_radius=0.3, keep_going=True)
  clean, classes = torch.tensor(images), torch.tensor(labels).long()
  theirs = list(reference.ddn(reference.tiny(tiny), clean, classes, steps=40, radius=0.3))
  state = jax.vmap(attack.init, (attacks.Example(None, 0, 0, None),))(
    attacks.Example(KEY, images, labels, jnp.float32(jnp.inf))
  )
  step = jax.jit(jax.vmap(attack.step, (None, 0)))
  for x, _ in theirs:
    reference.assert_same(state.point, x, 1e-5)
    state = step(tiny, state)
  expected = reference.smallest(theirs, clean, classes, "l2")
  crossed = expected.isfinite().numpy()  # Where the model is too sure, the cross-entropy misleads.
  assert crossed.sum() > 20
  reference.assert_same(state.distance[crossed], expected[crossed], 1e-5)
  assert state.progress.done.all()


def test_on_a_linear_classifier_it_finds_the_nearest_point_of_the_boundary(linear):
  classifier, images, labels, distances = reference.two_classes(linear, "l2")
  attack = attacks.ddn(initial_radius=0.1, keep_going=True)
  smallest = attacks.minimal_epsilon(attack, classifier, images, labels, 10.0, key=KEY, slots=1)
  assert (smallest.epsilon >= distances * (1 - 1e-4)).all()
  np.testing.assert_allclose(smallest.epsilon, distances, rtol=0.01, atol=5e-4)
  assert (smallest.backwards == 100).all()


@pytest.mark.slow
def test_where_the_loss_is_flat_it_goes_anywhere_on_the_sphere(linear):
  flat = jax.tree_util.Partial(linear.func, jnp.zeros((48, 3)))
  attack, image = attacks.ddn(initial_radius=0.1), jnp.full((4, 4, 3), 0.5)
  starts = [
    attack.init(attacks.Example(key, image, jnp.int32(0), jnp.float32(1)))
    for key in jax.random.split(KEY)
  ]
  first, second = (attack.step(flat, start).point - image for start in starts)
  for delta in (first, second):
    np.testing.assert_allclose(jnp.linalg.norm(delta.ravel()), 0.105, rtol=1e-5)
  assert jnp.abs(first - second).max() > 1e-3


def test_a_step_takes_the_passes_that_are_counted(tiny, examples):
  attack = attacks.ddn()
  assert passes.taken(attack, tiny, *examples) == (attack.forwards, attack.backwards) == (1, 1)


@pytest.mark.parametrize("arguments", [{"steps": 0}, {"initial_radius": 0.0}, {"gamma": 1.0}])
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.ddn(**arguments)
