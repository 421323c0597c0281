"""Perlin's noise (1985), octaves of it, blended with an image."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbench.corruptions.base import Corruption, constants
from jaxbench.corruptions.c_bar.points import points, side

_SIZE = 256  # Of the tables.
_OCTAVES = (1, 2, 4, 8, 16)
_CELLS = 7  # Of the first octave, along a side.


class Tables(NamedTuple):
  """All that is random."""

  order: jax.Array  # [256] int32, a permutation.
  slopes: jax.Array  # [256, 2] float32, unit vectors.


def _draw(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Tables:
  """Each element changes places with any one, as in the published code: nearly a fair shuffle."""
  places, slopes = jax.random.split(key)
  others = jax.random.randint(places, (_SIZE,), 0, _SIZE)

  def swap(index: int, order: jax.Array) -> jax.Array:
    one, other = _SIZE - 1 - index, others[index]
    return order.at[one].set(order[other]).at[other].set(order[one])

  order = jax.lax.fori_loop(0, _SIZE, swap, jnp.arange(_SIZE))
  vectors = jax.random.randint(slopes, (_SIZE, 2), -_SIZE, _SIZE).astype(jnp.float32)
  lengths = jnp.linalg.norm(vectors, axis=-1, keepdims=True)
  return Tables(order, vectors / jnp.maximum(lengths, 1))  # One in 260,000 has no length.


def _noise(tables: Tables, x: jax.Array, y: jax.Array) -> jax.Array:
  """Between the slopes of a pixel's four corners; x and y of one shape."""
  (right_of, left), (below, top) = jnp.modf(x), jnp.modf(y)
  left, top = left.astype(jnp.int32), top.astype(jnp.int32)

  def corner(column: int, row: int) -> jax.Array:
    first = tables.order[(left + column) % _SIZE]
    slope = tables.slopes[tables.order[(first + (top + row) % _SIZE) % _SIZE]]
    return (right_of - column) * slope[..., 0] + (below - row) * slope[..., 1]

  def smooth(share: jax.Array) -> jax.Array:
    return share**2 * (3 - 2 * share)

  def between(share: jax.Array, one: jax.Array, other: jax.Array) -> jax.Array:
    return one + smooth(share) * (other - one)

  rows = [between(right_of, corner(0, row), corner(1, row)) for row in (0, 1)]
  return 1.5 * between(below, *rows)


def _blend(pixels: jax.Array, tables: Tables, severity: jax.Array) -> jax.Array:
  cells = _CELLS / side(pixels.shape)
  first, second = jnp.broadcast_arrays(*(axis * cells for axis in points(pixels.shape)))
  octaves = (jnp.abs(_noise(tables, f * first, f * second)) / f for f in _OCTAVES)
  noise = jnp.clip(0.5 * sum(octaves, jnp.float32(0)) + 0.5, 0, 1)
  share = 0.05 * severity
  return (1 - share) * pixels + 255 * share * noise[..., None]


perlin_noise = Corruption(
  draw=_draw, apply=_blend, levels=constants(imagenet=(4.6, 5.2, 5.8, 7.6, 8.8))
)
