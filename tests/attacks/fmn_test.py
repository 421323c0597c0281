"""FMN against closed forms and a loop in torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import minnorm as reference
from references import passes

from jaxbench import attacks, errors

KEY = jax.random.key(0)


@pytest.mark.parametrize("norm", attacks.NORMS)
def test_each_step_equals_torch(norm, tiny, examples):
  images, labels = examples
  attack = attacks.fmn(steps=30, norm=norm, keep_going=True)
  clean, classes = torch.tensor(images), torch.tensor(labels).long()
  theirs = list(reference.fmn(reference.tiny(tiny), clean, classes, norm=norm, steps=30))
  state = jax.vmap(attack.init, (attacks.Example(None, 0, 0, None),))(
    attacks.Example(KEY, images, labels, jnp.float32(jnp.inf))
  )
  step = jax.jit(jax.vmap(attack.step, (None, 0)))
  for x, _ in theirs:
    reference.assert_same(state.point, x, 1e-5)
    state = step(tiny, state)
  expected = reference.smallest(theirs, clean, classes, norm)
  assert expected.isfinite().all()
  reference.assert_same(state.distance, expected, 1e-5)
  assert state.progress.done.all()


@pytest.mark.usual("l2")
@pytest.mark.parametrize("norm", attacks.NORMS)
def test_on_a_linear_classifier_it_finds_the_nearest_point_of_the_boundary(norm, linear):
  classifier, images, labels, distances = reference.two_classes(linear, norm)
  attack = attacks.fmn(norm=norm, keep_going=True)
  smallest = attacks.minimal_epsilon(attack, classifier, images, labels, 10.0, key=KEY, slots=2)
  assert (smallest.epsilon >= distances * (1 - 1e-4)).all()
  np.testing.assert_allclose(smallest.epsilon, distances, rtol=1e-3)
  assert (smallest.backwards == 100).all()


@pytest.mark.usual("l1")
@pytest.mark.parametrize("norm", attacks.NORMS)
def test_it_finds_the_nearest_class_where_another_is_second(norm):
  classifier, images, labels, nearest, seconds = reference.second_is_not_nearest(norm)
  assert (seconds > 1.2 * nearest).all()
  attack = attacks.fmn(norm=norm, keep_going=True)
  smallest = attacks.minimal_epsilon(attack, classifier, images, labels, 10.0, key=KEY, slots=8)
  np.testing.assert_allclose(smallest.epsilon, nearest, rtol=5e-3)
  assert (smallest.prediction == 2).all()


def test_a_step_takes_the_passes_that_are_counted(tiny, examples):
  attack = attacks.fmn()
  assert passes.taken(attack, tiny, *examples) == (attack.forwards, attack.backwards) == (1, 1)


@pytest.mark.parametrize(
  "arguments", [{"steps": 0}, {"stride": 0.0}, {"gamma": 1.0}, {"norm": "l0"}]
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.fmn(**arguments)
