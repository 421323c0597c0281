"""Zoom blur (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.base import Corruption, Leaf, nothing, of_variant

_LARGE = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))
_SMALL = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))
# End and step of the factors, which begin at 1.
_RANGES = {"imagenet": _LARGE, "tiny": _SMALL, "cifar": _SMALL}


class Level(NamedTuple):
  """What the severity sets: F factors, as many as the severity with most has."""

  used: Leaf  # [F] bool.
  before: tuple[Leaf, Leaf]  # [F, H] and [F, W] int32, see `_sources`.
  beyond: tuple[Leaf, Leaf]  # [F, H] and [F, W] float32.


def _sources(factor: float, size: int) -> tuple[np.ndarray, np.ndarray]:
  """Where the pixels of a zoomed line come from: corners on corners, as scipy.ndimage.zoom does it.

  Args:
    factor: from 1 to 1.5, so that rounding makes the line one pixel too long at most: its last.
    size: of the line, before and after.

  Returns:
    The pixel before, int32 [size], and how far beyond it, float32 [size] in [0, 1].
  """
  crop = math.ceil(size / factor)
  large = round(crop * factor)
  source = np.arange(size) * ((crop - 1) / (large - 1))
  before = source.astype(np.int32).clip(0, crop - 2)
  return before + np.int32((size - crop) // 2), (source - before).astype(np.float32)


def _levels(variant: str, height: int, width: int) -> Level:
  # np.arange may or may not include its end, and so does the reference.
  ranges = [np.arange(1, stop, step) for stop, step in of_variant(_RANGES, variant)]
  longest = max(map(len, ranges))
  padded = [np.pad(factors, (0, longest - len(factors)), mode="edge") for factors in ranges]

  def lines(size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = [[_sources(float(factor), size) for factor in factors] for factors in padded]
    before, beyond = zip(*(zip(*row, strict=True) for row in rows), strict=True)
    return np.asarray(before), np.asarray(beyond)

  used = np.arange(longest) < np.array([len(factors) for factors in ranges])[:, None]
  before, beyond = zip(lines(height), lines(width), strict=True)
  return Level(used, before, beyond)


def _zoomed(
  image: jax.Array, before: tuple[jax.Array, jax.Array], beyond: tuple[jax.Array, jax.Array]
) -> jax.Array:
  """Bilinear; a flat area stays exactly what it is."""
  y, x = before[0][:, None], before[1][None]
  down, right = beyond[0][:, None, None], beyond[1][None, :, None]
  top = image[y, x] + right * (image[y, x + 1] - image[y, x])
  bottom = image[y + 1, x] + right * (image[y + 1, x + 1] - image[y + 1, x])
  return top + down * (bottom - top)


def _blur(pixels: jax.Array, draws: tuple[()], level: Level) -> jax.Array:
  """The mean of the image and all its zooms, the first of which is the image again."""
  unit = pixels / 255

  def add(total: jax.Array, zoom: Level) -> tuple[jax.Array, None]:
    return jax.lax.cond(
      zoom.used, lambda: total + _zoomed(unit, zoom.before, zoom.beyond), lambda: total
    ), None

  total, _ = jax.lax.scan(add, jnp.zeros_like(unit), level)
  return (unit + total) / (level.used.sum() + 1).astype(jnp.float32) * 255


zoom_blur = Corruption(nothing, _blur, _levels)
