"""Carlini & Wagner's attack against closed forms and a loop in torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxbench import attacks, errors

KEY = jax.random.key(0)


def test_steps_equal_adam_of_torch(linear):
  """One search, from the first step to the last, with torch's own optimiser."""
  image = (0.4 + 0.2 * np.random.default_rng(0).random((4, 4, 3))).astype(np.float32)
  label = np.int32(np.asarray(linear(image[None])).argmax())
  attack = attacks.cw(steps=30, searches=1, initial_constant=0.5, keep_going=True)
  state = attack.init(attacks.Example(KEY, jnp.asarray(image), label, jnp.float32(100)))
  step = jax.jit(attack.step)
  clean, weights = torch.tensor(image), torch.tensor(np.asarray(linear.args[0]))
  start = torch.atanh(0.999999 * (2 * clean - 1))
  w = start.clone().requires_grad_()
  adam = torch.optim.Adam([w], lr=0.01)
  for _ in range(9):  # Before the first look at progress after the start.
    np.testing.assert_allclose(state.weights, w.detach(), atol=1e-5)
    x = (torch.tanh(w) + 1) / 2
    logits = x.flatten() @ weights
    other = logits[[i for i in range(3) if i != label]].max()
    squared = ((x - (torch.tanh(start) + 1) / 2) ** 2).sum()
    loss = squared + 0.5 * torch.clamp(logits[int(label)] - other, min=0)
    adam.zero_grad()
    loss.backward()
    adam.step()
    state = step(linear, state)


@pytest.mark.slow
def test_on_a_linear_classifier_it_finds_the_nearest_point_of_the_boundary(linear):
  images = 0.4 + 0.2 * np.random.default_rng(0).random((8, 4, 4, 3), np.float32)
  weights = linear.args[0][:, :2]
  classifier = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  logits = np.asarray(classifier(images), np.float64)
  labels = logits.argmax(axis=1).astype(np.int32)
  direction = np.asarray(weights[:, 0] - weights[:, 1], np.float64)
  expected = np.abs(logits[:, 0] - logits[:, 1]) / np.linalg.norm(direction)
  attack = attacks.cw(steps=200, searches=7, initial_constant=0.01, keep_going=True)
  smallest = attacks.minimal_epsilon(attack, classifier, images, labels, 10.0, key=KEY, slots=1)
  assert (smallest.epsilon >= expected * (1 - 1e-4)).all()
  np.testing.assert_allclose(smallest.epsilon, expected, rtol=0.05)
  assert (smallest.steps < 7 * 200).all()  # Searches that make no progress end early.


def test_failure_returns_the_clean_image(tiny, examples):
  images, labels = examples
  result = attacks.run(attacks.cw(steps=3, searches=2), tiny, images, labels, 1e-4, KEY, slots=1)
  assert not result.success.any()
  np.testing.assert_array_equal(result.adversarial, images)


@pytest.mark.parametrize("arguments", [{"steps": 0}, {"learning_rate": 0.0}, {"confidence": -1.0}])
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.cw(**arguments)
