"""AugMix against Pillow's operations with the same draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageOps

from jaxbench.defences import augmix

SIDE = 24


def _image(seed=0):
  """Smooth, with some levels that no pixel has."""
  draw = np.random.default_rng(seed)
  small = Image.fromarray(draw.integers(20, 230, (4, 4, 3), dtype=np.uint8))
  return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _pillow(pixels, operation, level, negative):
  """As TPT's authors call it, at severity 1."""
  image, sign = Image.fromarray(pixels), -1 if negative else 1

  def affine(*matrix):
    return image.transform(
      image.size, Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR
    )

  made = {
    "autocontrast": lambda: ImageOps.autocontrast(image),
    "equalize": lambda: ImageOps.equalize(image),
    "posterize": lambda: ImageOps.posterize(image, 4 - int(level * 4 / 10)),
    "rotate": lambda: image.rotate(sign * int(level * 30 / 10), Image.Resampling.BILINEAR),
    "solarize": lambda: ImageOps.solarize(image, 256 - int(level * 256 / 10)),
    "shear_x": lambda: affine(1, sign * level * 0.3 / 10, 0, 0, 1, 0),
    "shear_y": lambda: affine(1, 0, 0, sign * level * 0.3 / 10, 1, 0),
    "translate_x": lambda: affine(1, 0, sign * int(level * SIDE / 3 / 10), 0, 1, 0),
    "translate_y": lambda: affine(1, 0, 0, 0, 1, sign * int(level * SIDE / 3 / 10)),
  }[operation]()
  return np.asarray(made)


_operated = jax.jit(augmix.operated)


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("level", [0.25, 0.8, 3.0])  # The last is stronger than what is drawn.
@pytest.mark.parametrize("operation", augmix.OPERATIONS)
def test_operations_are_pillows(operation, level, negative):
  if operation == "posterize" and level > 1:
    return  # It would leave other bits than all that is drawn.
  pixels = _image()
  place = jnp.int32(augmix.OPERATIONS.index(operation))
  found = _operated(jnp.asarray(pixels, jnp.float32) / 255, place, level, negative)
  found, theirs = np.asarray(found) * 255, _pillow(pixels, operation, level, negative)
  np.testing.assert_allclose(found, np.round(found), atol=1e-3)  # Of 8 bits.
  # Where a value is whole but for float32's rounding, cutting may lose a level.
  assert np.abs(found - theirs).max() < 1.01
  assert (np.abs(found - theirs) < 0.01).mean() > 0.99
  unlike = np.abs(theirs.astype(int) - pixels).max()
  assert unlike > 0 or level < 1  # So little may round to nothing.


def test_a_mixture_is_of_its_chains_and_the_view():
  pixels = _image(1)
  draws = jax.jit(augmix.draw)(jax.random.key(3))
  found = jax.jit(augmix.mixed)(jnp.asarray(pixels, jnp.float32) / 255, draws)
  chains = []
  for chain in range(augmix.CHAINS):
    image = pixels
    for step in range(int(draws.lengths[chain])):
      one = augmix.OPERATIONS[int(draws.operations[chain, step])]
      level, negative = float(draws.levels[chain, step]), bool(draws.negative[chain, step])
      image = _pillow(image, one, level, negative)
    chains.append(image / 255)
  mixed = np.tensordot(np.asarray(draws.weights), chains, 1)
  theirs = float(draws.kept) * pixels / 255 + (1 - float(draws.kept)) * mixed
  assert np.abs(np.asarray(found) - theirs).max() < 3 / 255
  assert np.abs(np.asarray(found) - theirs).mean() < 0.1 / 255
  assert np.abs(theirs - pixels / 255).max() > 3 / 255


def test_draws_are_as_published():
  draws = jax.jit(jax.vmap(augmix.draw))(jax.random.split(jax.random.key(0), 2000))
  np.testing.assert_allclose(draws.weights.sum(axis=1), 1, rtol=1e-5)
  np.testing.assert_allclose(np.var(draws.weights, axis=0), 1 / 18, rtol=0.15)  # Dirichlet(1).
  assert np.mean(draws.kept) == pytest.approx(0.5, abs=0.03)
  assert set(np.unique(draws.lengths)) == {1, 2, 3}
  counts = np.bincount(np.ravel(draws.operations), minlength=len(augmix.OPERATIONS))
  np.testing.assert_allclose(counts / counts.sum(), 1 / 9, atol=0.01)
  assert draws.levels.min() >= 0.1 and draws.levels.max() <= 1
