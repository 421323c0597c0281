"""Against a second writing of the published formulas, with the same draws."""

import functools

import jax
import numpy as np
import pytest
from references import c_bar

from jaxbench import corruptions
from jaxbench.corruptions.base import rint

NEAR = 0.05  # Of 255. Water folds sines of sines, where a few pixels lose more digits:
FEW = 0.002  # a share of them.


@functools.cache
def _program(name, side):
  corruption = corruptions.CORRUPTIONS[name]

  def made(key, image, level):
    draws = corruption.draw(key, image.shape, level)
    return draws, corruption.apply(rint(image * 255), draws, level)

  return jax.jit(made)


@pytest.mark.usual("*-33")
@pytest.mark.parametrize("side", [28, 33])
@pytest.mark.parametrize("name", corruptions.C_BAR_NAMES)
def test_images_are_those_of_the_published_formulas(name, side):
  image = np.random.default_rng(1).integers(0, 256, (side, side, 3)).astype(np.float32)
  levels = corruptions.CORRUPTIONS[name].levels("imagenet", side, side)
  for seed, level in enumerate(levels[[0, 4]]):
    draws, found = _program(name, side)(jax.random.key(seed), image / 255, level)
    exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.result_type(leaf.dtype, "i4")), draws)
    expected = getattr(c_bar, name)(image.astype(np.float64), exact, float(level))
    off = np.abs(np.clip(found, 0, 255) - np.clip(expected, 0, 255))
    assert (off > NEAR).mean() <= FEW
    assert np.abs(found - image).max() > 5


def test_severities_are_the_published_ones():
  """Of squares of 224 pixels, and of 32 where CIFAR-10-C-bar has them."""
  own = corruptions.CORRUPTIONS["caustic_refraction"].levels("imagenet", 224, 224)
  np.testing.assert_allclose(own, [2.35, 3.2, 4.9, 6.6, 9.15], rtol=1e-6)
  small = corruptions.CORRUPTIONS["sparkles"].levels("cifar", 32, 32)
  np.testing.assert_allclose(small, [0.7, 3.5, 5.6, 6.3, 7.0], rtol=1e-6)
