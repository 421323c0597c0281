"""Attacks on both sides: steps and guides of their images re-derived in torch, the same draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxbench import attacks, errors
from jaxbench.attacks.text.objectives import OBJECTIVES

DRAW = np.random.default_rng(0)
SIDE, WIDTH, STEPS, EPSILON = 8, 5, 3, 4 / 255
IMAGES = DRAW.random((2, SIDE, SIDE, 3), np.float32)
IMAGES[0, :2] = 1.0  # At the edge of the box, where clips have their gradient.
WEIGHTS = DRAW.normal(size=(SIDE * SIDE * 3, WIDTH)).astype(np.float32)
OWNERS = np.array([0, 0, 1, 0, 1])
_TEXTS = DRAW.normal(size=(len(OWNERS), WIDTH)).astype(np.float32)
TEXTS = _TEXTS / np.linalg.norm(_TEXTS, axis=1, keepdims=True)
ENCODER = jax.tree_util.Partial(lambda weights, x: x.reshape(len(x), -1) @ weights, WEIGHTS)
KEY = jax.random.key(3)


def _unit(features):
  return features / features.norm(dim=-1, keepdim=True)


def _encoded(image):
  """Of an image [H, W, 3] in torch, the unit embedding [D]."""
  return _unit(image.reshape(-1) @ torch.tensor(WEIGHTS))


def _clean():
  return np.stack([_encoded(torch.tensor(image)).numpy() for image in IMAGES])


def _taken(joint, label):
  """Where three steps lead, by the attack."""
  guide = joint.guide(ENCODER, _clean(), TEXTS, OWNERS)
  example = attacks.Example(KEY, jnp.asarray(IMAGES[label]), jnp.int32(label), jnp.float32(EPSILON))
  state, step = joint.images.init(example), jax.jit(joint.images.step)
  start = np.asarray(state.image)
  for _ in range(STEPS):
    assert not state.progress.done
    state = step(guide, state)
  assert state.progress.done
  return start, np.asarray(state.image)


def _looped(label, start, stride, loss):
  """The same by torch; `loss` (image, step) is ascended."""
  clean, image = torch.tensor(IMAGES[label]), torch.tensor(start)
  for count in range(STEPS):
    image.requires_grad_()
    (slope,) = torch.autograd.grad(loss(image, count), image)
    moved = image.detach() + stride * slope.sign()
    image = torch.clamp(torch.min(torch.max(moved, clean - EPSILON), clean + EPSILON), 0, 1)
  return image.numpy()


@pytest.mark.parametrize("label", [0, 1])
def test_sga_moves_images_as_its_code_does(label):
  scales = (0.5, 1.25)
  start, found = _taken(attacks.joint.sga(steps=STEPS, scales=scales), label)
  uniform = jax.random.uniform(KEY, start.shape, jnp.float32, -1.0, 1.0)
  np.testing.assert_allclose(start, np.clip(IMAGES[label] + EPSILON * uniform, 0, 1), atol=1e-7)
  own = torch.tensor(TEXTS[label == OWNERS])

  def resized(image, side):
    batch = image.permute(2, 0, 1)[None]
    found = torch.nn.functional.interpolate(batch, (side, side), mode="bicubic")
    return found[0].permute(1, 2, 0)

  def loss(image, count):
    keys = jax.random.split(jax.random.fold_in(KEY, count), 1 + len(scales))
    views = [image]
    for scale, key in zip(scales, keys[1:], strict=True):
      noise = torch.tensor(np.asarray(0.05 * jax.random.normal(key, image.shape)))
      small = torch.clamp(resized(image + noise, int(scale * SIDE)), 0, 1)
      views.append(resized(small, SIDE))
    return -sum((own @ _encoded(view)).sum() for view in views)

  np.testing.assert_allclose(found, _looped(label, start, 0.5 / 255, loss), atol=1e-6)


@pytest.mark.parametrize("label", [0, 1])
def test_co_attack_moves_images_as_its_code_does(label):
  start, found = _taken(attacks.joint.co_attack(steps=STEPS), label)
  assert ((start >= IMAGES[label]) & (start <= IMAGES[label] + EPSILON + 1e-7)).all()
  assert (start > IMAGES[label]).mean() > 0.5
  clean = torch.tensor(_clean()[label]).softmax(-1)
  text = torch.tensor(TEXTS[np.flatnonzero(label == OWNERS)[-1]]).softmax(-1)

  def loss(image, count):
    del count
    after = _encoded(image).log_softmax(-1)
    divergence = torch.nn.KLDivLoss(reduction="sum")
    return divergence(after, clean) + 3 * divergence(after, text)

  expected = _looped(label, start, 1.25 * EPSILON / STEPS, loss)
  np.testing.assert_allclose(found, expected, atol=1e-6)
  # What is ascended is the divergence itself, not only its slope.
  guide = attacks.joint.co_attack(steps=STEPS).guide(ENCODER, _clean(), TEXTS, OWNERS)
  value = guide(jnp.asarray(found)[None])[0, label]
  np.testing.assert_allclose(-value, loss(torch.tensor(found), 0), atol=1e-6)


def test_texts_go_away_from_what_they_were():
  one, other = np.random.default_rng(1).normal(size=(2, WIDTH)).astype(np.float32)
  found = OBJECTIVES["kl"](jnp.asarray(other), jnp.asarray(one)[None], jnp.int32(0))
  before, after = (_unit(torch.tensor(each)) for each in (one, other))
  expected = torch.nn.KLDivLoss(reduction="sum")(after.log_softmax(-1), before.softmax(-1))
  np.testing.assert_allclose(found, expected, atol=1e-6)


def test_wrong_arguments_are_told():
  with pytest.raises(errors.InputError, match=r"scales=\(0,\) are not several in"):
    attacks.joint.sga(scales=(0,))
  with pytest.raises(errors.InputError, match="steps >= 1"):
    attacks.joint.co_attack(steps=0)
