"""An image under moving water: caustics refract it and light it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions import gaussian
from jaxbench.corruptions.base import Corruption, constants
from jaxbench.corruptions.c_bar.points import points, side

_BEGIN = 250.0  # The pattern's own coordinates are this below those of its turn.
_FOLDS = 5
_ETA = 4.0  # Index of refraction.
_STRAIGHT = 1 - 1e-3  # Cosine of an angle too small to refract.
_SOFT = gaussian.kernels([1.0])[0]
_REACH = len(_SOFT)


class Water(NamedTuple):
  """All that is random."""

  time: jax.Array  # [] float32.
  size: jax.Array  # [] float32, pixels of the pattern.


def _draw(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Water:
  time, size = jax.random.split(key)
  return Water(
    jax.random.uniform(time, minval=0.5, maxval=2.0),
    jax.random.uniform(size, minval=0.75, maxval=1.25) * side(shape),
  )


def _caustics(shape: tuple[int, ...], water: Water) -> jax.Array:
  """float32 [H, W] in [0, 1], bright where light gathers."""
  places = [axis / water.size % 1 * (2 * jnp.pi) for axis in jnp.broadcast_arrays(*points(shape))]
  # Whole turns are left out where they change nothing but the rounding.
  across, along = begin = [place - np.float32(_BEGIN % (2 * np.pi)) for place in places]
  first, second = (place - _BEGIN for place in places)
  light = jnp.float32(1)
  for fold in range(1, 1 + _FOLDS):
    time = water.time * (1 - 3.5 / fold)
    across, along = (
      begin[0] + jnp.cos(time - across) + jnp.sin(time + along),
      begin[1] + jnp.sin(time - along) + jnp.cos(time + across),
    )
    folded = jnp.hypot(first / jnp.sin(across + time), second / jnp.cos(along + time))
    light = light + 200 / folded
  light = 1.17 - (light / _FOLDS) ** 1.4
  return jnp.clip(light**8, 0, 1)


def _refract(pixels: jax.Array, water: Water, severity: jax.Array) -> jax.Array:
  mirrored = jnp.pad(_caustics(pixels.shape, water), _REACH, mode="symmetric")
  inside = slice(_REACH, -_REACH)
  light = gaussian.smooth(mirrored[..., None], jnp.asarray(_SOFT))[inside, inside, 0]
  dark = jnp.pad(light, 1)  # Beyond the image.
  down = dark[2:, 1:-1] - dark[:-2, 1:-1]
  right = dark[1:-1, 2:] - dark[1:-1, :-2]
  slope = jnp.sqrt(down**2 + right**2)
  steep = jnp.arctan(slope)
  bent = jnp.sin(steep - jnp.arcsin(jnp.sin(steep) / _ETA)) * 0.05 * severity * side(pixels.shape)
  seen = jnp.where(jnp.cos(steep) < _STRAIGHT, bent / jnp.maximum(slope, 1e-9), 0.0)
  rows, columns = points(pixels.shape)
  found = _between(pixels, rows + _thousandths(down * seen), columns + _thousandths(right * seen))
  lit = 51 * severity * (down - right)
  return jnp.clip(found + lit[..., None], 0, 255)


def _thousandths(distance: jax.Array) -> jax.Array:
  return jnp.rint(distance * 1000) / 1000


def _between(pixels: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
  """Bilinear, black beyond the image."""
  height, width, _ = pixels.shape
  top, left = jnp.floor(rows), jnp.floor(columns)
  total = jnp.zeros_like(pixels)
  for below in (0, 1):
    for beside in (0, 1):
      row, column = (top + below).astype(jnp.int32), (left + beside).astype(jnp.int32)
      inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
      weight = (1 - jnp.abs(rows - top - below)) * (1 - jnp.abs(columns - left - beside))
      pixel = pixels[jnp.clip(row, 0, height - 1), jnp.clip(column, 0, width - 1)]
      total += jnp.where(inside, weight, 0.0)[..., None] * pixel
  return total


caustic_refraction = Corruption(
  draw=_draw, apply=_refract, levels=constants(imagenet=(2.35, 3.2, 4.9, 6.6, 9.15))
)
