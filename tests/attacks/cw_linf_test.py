"""Carlini & Wagner's linf attack against closed forms and a loop in torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxbench import attacks, errors

KEY = jax.random.key(0)
IMAGES = (0.4 + 0.2 * np.random.default_rng(0).random((8, 4, 4, 3))).astype(np.float32)


def _torch_path(weights, image, label, threshold, constant, steps, searches):
  """What is looked at, in torch: searches of Adam; thresholds shrink, constants double."""
  clean, start, seen = torch.tensor(image), torch.tensor(image), []
  for _ in range(searches):
    w = torch.atanh(0.999999 * (2 * start - 1)).requires_grad_()
    adam, solved = torch.optim.Adam([w], lr=5e-3), False
    for _ in range(steps):
      x = (torch.tanh(w) + 1) / 2
      seen.append(x.detach().numpy())
      logits = x.flatten() @ weights
      missing = logits[label] - logits[[i for i in range(3) if i != label]].max()
      excess = torch.clamp((x - clean).abs() - threshold, min=0).sum()
      loss = excess + constant * torch.clamp(missing, min=0)
      if missing < 0 and loss < 1e-4 * constant:
        solved, start = True, x.detach()
        break
      adam.zero_grad()
      loss.backward()
      adam.step()
    if solved:
      threshold = 0.9 * min(threshold, float((start - clean).abs().max()))
    else:
      constant *= 2
  return seen


@pytest.mark.slow
def test_searches_equal_those_of_torch(linear):
  ranked = np.sort(np.asarray(linear(IMAGES)), axis=1)
  image = IMAGES[np.argmin(ranked[:, 2] - ranked[:, 1])]  # Near a boundary.
  label = int(np.asarray(linear(image[None])).argmax())
  attack = attacks.cw_linf(steps=60, initial_constant=0.1, keep_going=True)
  state = attack.init(attacks.Example(KEY, jnp.asarray(image), jnp.int32(label), jnp.float32(0.1)))
  step = jax.jit(attack.step)
  weights = torch.tensor(np.asarray(linear.args[0]))
  path = _torch_path(weights, image, label, 0.1, 0.1, 60, 12)
  thresholds, constants = set(), set()
  for x in path:
    np.testing.assert_allclose((jnp.tanh(state.weights) + 1) / 2, x, atol=2e-5)
    state = step(linear, state)
    thresholds.add(float(state.threshold))
    constants.add(float(state.constant))
  assert len(thresholds) > 1  # Some searches were solved,
  assert len(constants) > 1  # and some were not.


def test_on_a_linear_classifier_it_comes_near_the_nearest_point_of_the_boundary(linear):
  weights = linear.args[0][:, :2]
  classifier = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  logits = np.asarray(classifier(IMAGES), np.float64)
  labels = logits.argmax(axis=1).astype(np.int32)
  direction = np.asarray(weights[:, 0] - weights[:, 1], np.float64)
  expected = np.abs(logits[:, 0] - logits[:, 1]) / np.abs(direction).sum()
  attack = attacks.cw_linf(steps=200, initial_constant=0.01, keep_going=True)
  smallest = attacks.minimal_epsilon(attack, classifier, IMAGES, labels, 0.3, key=KEY, slots=1)
  near = (expected > 0.02) & (expected < 0.3)
  assert near.sum() >= 3
  assert (smallest.epsilon[near] >= expected[near] * (1 - 1e-4)).all()
  np.testing.assert_allclose(smallest.epsilon[near], expected[near], rtol=0.15)


def test_failure_returns_the_clean_image(tiny, examples):
  images, labels = examples
  attack = attacks.cw_linf(steps=3, initial_constant=5.0)
  result = attacks.run(attack, tiny, images, labels, 1e-4, KEY, slots=1)
  assert not result.success.any()
  np.testing.assert_array_equal(result.adversarial, images)


@pytest.mark.parametrize("arguments", [{"steps": 0}, {"learning_rate": 0.0}, {"confidence": -1.0}])
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.cw_linf(**arguments)
