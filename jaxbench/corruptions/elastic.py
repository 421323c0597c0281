"""Elastic transform (Hendrycks & Dietterich, 2019, arXiv:1903.12261; its code's constants).

A random affine warp in the fixed point of OpenCV 4 (OpenCV 5 has another), then a smooth random
displacement; both are bilinear. dm_pix.elastic_deformation has no warp and smooths otherwise.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from jaxbench.corruptions.base import Corruption, Leaf, of_variant
from jaxbench.corruptions.separable import separable

# Strength, deviation and reach of the corners, in shares of a length; the length in pixels.
_LARGE = ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
_TINY = ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02))
_CIFAR = ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
_SHARES = {
  "imagenet": (244, _LARGE),
  "tiny": (64, _TINY),
  "cifar": (32, _CIFAR),
  "inception": (360, _LARGE),
}
# imagecorruptions: pixels follow the image's size.
_PACKAGE_STRENGTH = (12.5, 16.25, 21.25, 25, 30)


class Level(NamedTuple):
  """What the severity sets."""

  reach: Leaf  # [] float32, pixels by which the affine warp moves a corner.
  rows: Leaf  # [H, H] float32, smooths the displacement vertically.
  columns: Leaf  # [W, W] float32, the same horizontally, times the strength.


class Draws(NamedTuple):
  """All that is random."""

  corners: jax.Array  # [3, 2] float32, displacements (x, y) in pixels.
  fields: jax.Array  # [H, W, 2] float32 in [-1, 1], displacements (x, y), still rough.


def _levels(variant: str, height: int, width: int) -> Level:
  if variant == "imagecorruptions":
    strengths = 0.005 * height * np.array(_PACKAGE_STRENGTH)
    deviations = np.broadcast_to([[0.01 * height], [0.01 * width]], (2, 5))
    reach = np.zeros(5)
  else:
    length, shares = of_variant(_SHARES, variant)
    strengths, deviation, reach = length * np.array(shares).T
    deviations = np.stack([deviation, deviation])
  rows = np.stack([_smoothing(height, deviation) for deviation in deviations[0]])
  columns = np.stack([_smoothing(width, deviation) for deviation in deviations[1]])
  columns *= strengths[:, None, None]
  return Level(*(leaf.astype(np.float32) for leaf in (reach, rows, columns)))


def _smoothing(size: int, deviation: float) -> np.ndarray:
  """float64 [size, size]: a Gaussian cut at three deviations, the line mirrored at its ends."""
  if deviation == 0:
    return np.eye(size)
  return scipy.ndimage.gaussian_filter1d(
    np.eye(size), deviation, axis=0, mode="reflect", truncate=3
  )


def _draw(key: jax.Array, shape: tuple[int, ...], level: Level) -> Draws:
  first, second = jax.random.split(key)
  corners = level.reach * jax.random.uniform(first, (3, 2), minval=-1, maxval=1)
  return Draws(corners, jax.random.uniform(second, (*shape[:2], 2), minval=-1, maxval=1))


def _elastic(pixels: jax.Array, draws: Draws, level: Level) -> jax.Array:
  height, width, _ = pixels.shape
  # Besides saving work, a branch keeps XLA from warping anew for each of the four corners below.
  warped = jax.lax.cond(
    level.reach > 0, _warped, lambda image, corners: image, pixels / 255, draws.corners
  )
  fields = separable(draws.fields, level.rows, level.columns)
  x, y = fields[..., 0], fields[..., 1]
  row, column = jnp.floor(y), jnp.floor(x)  # Split off first: the sum would lose digits.
  down, right = (y - row)[..., None], (x - column)[..., None]
  y, x = _grid(height, width)
  a, b, c, d = _corners(warped, y + row, x + column, repeat=True)
  top, bottom = a + right * (b - a), c + right * (d - c)  # Exact where the picture is flat.
  return (top + down * (bottom - top)) * 255


def _warped(image: jax.Array, corners: jax.Array) -> jax.Array:
  height, width, _ = image.shape
  row, column, down, right = _affine(corners, height, width)
  near = _corners(image, row, column, repeat=False)
  weights = [v * h for v in (1 - down, down) for h in (1 - right, right)]  # OpenCV's order.
  total = near[0] * weights[0][..., None]
  for pixel, weight in zip(near[1:], weights[1:], strict=True):
    total = total + pixel * weight[..., None]
  return total


def _grid(height: int, width: int) -> tuple[jax.Array, jax.Array]:
  return jnp.arange(height, dtype=jnp.float32)[:, None], jnp.arange(width, dtype=jnp.float32)[None]


def _affine(corners: jax.Array, height: int, width: int) -> tuple[jax.Array, ...]:
  """Where each pixel comes from: row, column and their fractions, each float32 [H, W].

  The map takes (c + s, c + s), (c + s, c - s) and (c - s, c - s) to where `corners` moves them.
  It is inverted as its difference from the identity, which keeps float32 precise, and evaluated
  as cv2.warpAffine does: 10 fractional bits, cut to 5.
  """
  side = min(height, width) // 3
  columns = jnp.stack([corners[1] - corners[2], corners[0] - corners[1]], axis=1) / (2 * side)
  (a, b), (c, d) = columns + jnp.eye(2)
  pivot = jnp.array([width // 2 + side, height // 2 - side], jnp.float32)
  determinant = a * d - b * c
  inverse = jnp.array([[d, -b], [-c, a]]) / jnp.where(determinant == 0, 1, determinant)
  offset = corners[1] - jnp.sum(columns * pivot[None], axis=1)
  by_column, by_row = -1024 * _product(inverse, columns).T
  constant = -1024 * jnp.sum(inverse * offset[None], axis=1)
  y, x = _grid(height, width)
  places = []
  for axis, start in ((1, y), (0, x)):
    moved = jnp.rint(by_column[axis] * x) + jnp.rint(by_row[axis] * y + constant[axis])
    steps = jnp.floor((moved + 16) / 32)
    whole = jnp.floor(steps / 32)
    places.append((start + whole, steps / 32 - whole))
  (row, down), (column, right) = places
  return row, column, down, right


def _product(first: jax.Array, second: jax.Array) -> jax.Array:
  return jnp.sum(first[:, :, None] * second[None], axis=1)


def _corners(
  image: jax.Array, row: jax.Array, column: jax.Array, *, repeat: bool
) -> list[jax.Array]:
  """The four pixels around whole positions [H, W], mirrored at the borders, each [H, W, 3]."""
  height, width, channels = image.shape
  flat = image.reshape(-1, channels)
  rows = [width * _mirrored(row + step, height, repeat) for step in (0, 1)]
  columns = [_mirrored(column + step, width, repeat) for step in (0, 1)]
  indices = [(start + beside).astype(jnp.int32) for start in rows for beside in columns]
  return [flat.at[index].get(mode="promise_in_bounds") for index in indices]


def _mirrored(position: jax.Array, size: int, repeat: bool) -> jax.Array:
  """A whole position folded into 0..size - 1; the border pixel counts twice if `repeat`."""
  shift, period = (0.5, 2 * size) if repeat else (0, 2 * size - 2)
  away = jnp.abs(position + shift)
  away = away - period * jnp.floor(away / period)
  return jnp.minimum(away, period - away) - shift


elastic_transform = Corruption(draw=_draw, apply=_elastic, levels=_levels)
