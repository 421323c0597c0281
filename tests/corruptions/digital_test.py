"""The deterministic halves against numpy and Pillow, with the same draws."""

import functools
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxbench import corruptions

SEVERITIES = range(1, 6)


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


@pytest.mark.parametrize("variant", corruptions.VARIANTS)
@pytest.mark.parametrize("shape", [(224, 224), (32, 32), (33, 47), (223, 225)])
def test_jpeg_equals_pillow_bit_for_bit(variant, shape):
  pixels = _picture(*shape)
  qualities = (
    corruptions.CORRUPTIONS["jpeg_compression"].levels(variant, *shape).astype(int).tolist()
  )
  for severity, quality in zip(SEVERITIES, qualities, strict=True):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    found = _corrupted("jpeg_compression", variant, severity, pixels)
    np.testing.assert_array_equal(found, np.asarray(Image.open(file)))


@pytest.mark.parametrize("variant", corruptions.VARIANTS)
@pytest.mark.parametrize("shape", [(224, 224), (32, 32), (33, 47)])
def test_contrast_equals_the_reference_formula(variant, shape):
  pixels = _picture(*shape)
  standard = (0.4, 0.3, 0.2, 0.1, 0.05)
  factors = (0.75, 0.5, 0.4, 0.3, 0.15) if variant == "cifar" else standard
  for severity, factor in zip(SEVERITIES, factors, strict=True):
    unit = pixels / 255.0
    mean = unit.mean(axis=(0, 1), keepdims=True)
    expected = np.uint8(np.clip((unit - mean) * factor + mean, 0, 1) * 255)
    found = _corrupted("contrast", variant, severity, pixels)
    np.testing.assert_array_equal(found, expected)
