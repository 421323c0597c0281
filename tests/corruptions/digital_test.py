"""The deterministic halves against numpy and Pillow, with the same draws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import create_c

from jaxbench import corruptions

SEVERITIES = range(1, 6)
QUALITIES = {
  "imagenet": (25, 18, 15, 10, 7),
  "tiny": (65, 58, 50, 40, 25),
  "cifar": (80, 65, 58, 50, 40),
  "inception": (23, 16, 13, 8, 5),
  "imagecorruptions": (25, 18, 15, 10, 7),
}


def _picture(height: int, width: int) -> np.ndarray:
  """Smooth gradients, sharp edges, flat areas and noise: uint8 [H, W, 3]."""
  y, x = np.mgrid[:height, :width]
  smooth = (np.sin(y / 7 + x / 11) / 2 + 0.5) * 255
  edges = ((x // 9 + y // 5) % 2) * 200 + np.random.default_rng(0).integers(0, 40, (height, width))
  return np.stack([smooth, (x * 3 + y * 2) % 256, edges], axis=-1).astype(np.uint8)


@functools.cache
def _program(name: str):
  return jax.jit(corruptions.CORRUPTIONS[name].apply)


def _corrupted(name: str, variant: str, severity: int, pixels: np.ndarray) -> np.ndarray:
  levels = corruptions.CORRUPTIONS[name].levels(variant, *pixels.shape[:2])
  return np.asarray(_program(name)(jnp.float32(pixels), (), levels[severity - 1])).astype(np.uint8)


@pytest.mark.parametrize("variant", QUALITIES)
@pytest.mark.parametrize("shape", [(224, 224), (32, 32), (33, 47), (223, 225)])
def test_jpeg_equals_pillow_bit_for_bit(variant, shape):
  pixels = _picture(*shape)
  for severity, quality in zip(SEVERITIES, QUALITIES[variant], strict=True):
    found = _corrupted("jpeg_compression", variant, severity, pixels)
    np.testing.assert_array_equal(found, create_c.jpeg_compression(pixels, quality))


@pytest.mark.parametrize("variant", corruptions.VARIANTS)
@pytest.mark.parametrize("shape", [(224, 224), (32, 32), (33, 47)])
def test_contrast_equals_the_reference_formula(variant, shape):
  pixels = _picture(*shape)
  standard = (0.4, 0.3, 0.2, 0.1, 0.05)
  factors = (0.75, 0.5, 0.4, 0.3, 0.15) if variant == "cifar" else standard
  for severity, factor in zip(SEVERITIES, factors, strict=True):
    found = _corrupted("contrast", variant, severity, pixels)
    np.testing.assert_array_equal(found, create_c.contrast(pixels, factor))


@pytest.mark.parametrize(
  ("name", "level", "factor"), [("contrast", 4, 0.2), ("jpeg_compression", 15, 1.0)]
)
def test_gradients_are_those_of_contrasts_formula_and_pass_jpeg_unchanged(name, level, factor):
  weights = np.random.default_rng(0).normal(size=(33, 47, 3)).astype(np.float32)
  _, pull = jax.vjp(
    lambda pixels: _program(name)(pixels, (), np.float32(level)), jnp.float32(_picture(33, 47))
  )
  (found,) = pull(weights)
  expected = factor * weights + (1 - factor) * weights.mean(axis=(0, 1), keepdims=True)
  np.testing.assert_allclose(found, expected, atol=1e-6)
