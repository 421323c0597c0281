"""Pixelate (Hendrycks & Dietterich, 2019, arXiv:1903.12261; its code's constants).

Bit for bit Pillow's box filter down, with its weights of 22 bits, and its nearest neighbour up.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.base import Corruption, Leaf, constants, floor, nothing, with_gradient_of
from jaxbench.corruptions.sequential import in_turn

_BITS = 22  # Of Pillow's weights.


class Axis(NamedTuple):
  """Windows along one axis; the number of windows and of taps are the severities' largest."""

  taps: Leaf  # [taps, small] int32, the pixels of a window.
  used: Leaf  # [taps, small] float32, 0 where a window has fewer pixels.
  weight: Leaf  # [small] float32, 1 / (number of pixels).
  up: Leaf  # [size] int32, the window that a pixel shows.


_factors = constants(
  imagenet=(0.6, 0.5, 0.4, 0.3, 0.25),
  tiny=(0.9, 0.8, 0.7, 0.6, 0.5),
  cifar=(0.95, 0.9, 0.85, 0.75, 0.65),
  inception=(0.5, 0.4, 0.3, 0.25, 0.2),
)


def _levels(variant: str, height: int, width: int) -> tuple[Axis, Axis]:
  factors = [round(float(factor), 6) for factor in _factors(variant, height, width)]
  summed = variant == "imagecorruptions"
  return _axis(height, factors, summed), _axis(width, factors, summed)


def _axis(size: int, factors: list[float], summed: bool) -> Axis:
  smalls = [int(size * factor) for factor in factors]
  windows = np.stack([_windows(size, small, max(smalls)) for small in smalls])
  count, first = windows.sum(axis=-1), windows.argmax(axis=-1)
  tap = np.arange(count.max())[:, None]
  taps = np.minimum(first[:, None] + tap, size - 1)
  up = [_up(size, small, summed) for small in smalls]
  weight = np.floor(2**_BITS / count + 0.5) / 2**_BITS
  used = tap < count[:, None]
  whole, real = (functools.partial(np.asarray, dtype=dtype) for dtype in (np.int32, np.float32))
  return Axis(whole(taps), real(used), real(weight), whole(up))


def _windows(size: int, small: int, padded: int) -> np.ndarray:
  """bool [padded, size]: which pixel belongs to which window, decided in Pillow's own float64."""
  scale = size / small
  centre, pixel = (np.arange(small)[:, None] + 0.5) * scale, np.arange(size)
  away = (pixel - centre + 0.5) * (1 / scale)
  first, end = ((centre + half + 0.5).astype(int) for half in (-scale / 2, scale / 2))
  inside = (pixel >= first) & (pixel < end) & (away > -0.5) & (away <= 0.5)
  return np.pad(inside, ((0, padded - small), (0, 0)), mode="edge")


def _up(size: int, small: int, summed: bool) -> np.ndarray:
  """float64 [size]: ImageNet-C enlarges with Pillow's box, imagecorruptions with its nearest.

  The latter sums its steps; of odd sizes the middle may land one window earlier.
  """
  if summed:
    steps = np.full(size, small / size)
    steps[0] /= 2
    return np.floor(np.cumsum(steps))
  return np.floor((np.arange(size) + 0.5) * (small / size))


def _pixelate(pixels: jax.Array, draws: tuple[()], level: tuple[Axis, Axis]) -> jax.Array:
  exact = _shown(pixels.astype(jnp.uint8), *level)  # A quarter of the memory.
  return with_gradient_of(_shown(pixels, *level), exact.astype(pixels.dtype))


def _shown(pixels: jax.Array, rows: Axis, columns: Axis) -> jax.Array:
  return _large(_short(_narrow(pixels, columns), rows), rows.up, columns.up)


# Three turns, else a CPU computes all that a pixel shows anew for each of them.
@in_turn
def _narrow(x: jax.Array, windows: Axis) -> jax.Array:
  return _shrunk(x, windows, axis=1)


@in_turn
def _short(x: jax.Array, windows: Axis) -> jax.Array:
  return _shrunk(x, windows, axis=0)


@in_turn
def _large(small: jax.Array, down: jax.Array, right: jax.Array) -> jax.Array:
  wide = jnp.take(small, right, axis=1, mode="clip")
  return jnp.take(wide, down, axis=0, mode="clip")


def _shrunk(x: jax.Array, windows: Axis, axis: int) -> jax.Array:
  """The mean of each window, rounded to 8 bits."""
  shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
  total = jnp.zeros((), jnp.float32)
  for tap, used in zip(windows.taps, windows.used, strict=True):
    pixels = jnp.take(x, tap, axis=axis, mode="clip").astype(jnp.float32)
    total = total + pixels * used.reshape(shape)
  return floor(total * windows.weight.reshape(shape) + 0.5).astype(x.dtype)


pixelate = Corruption(draw=nothing, apply=_pixelate, levels=_levels)
