"""Frost (Hendrycks & Dietterich, 2019, arXiv:1903.12261; its code's constants)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.base import Corruption, constants
from jaxbench.corruptions.textures import Textures

# A level is a pair: bytes [65536] for 256 * pixel + texture, as float64 rounds them; the textures.
Level = tuple[jax.Array, Textures]


class Draws(NamedTuple):
  """Which part of which photograph, each int32 []."""

  index: jax.Array
  row: jax.Array
  column: jax.Array


_weights = constants(  # Of the image and of the frost.
  imagenet=((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
  tiny=((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
  cifar=((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
)


def _levels(variant: str, height: int, width: int) -> np.ndarray:
  image, frost = _weights(variant, height, width).astype(np.float64).round(6).T[..., None, None]
  byte = np.arange(256)
  mixed = image * byte[:, None] + frost * byte
  return np.clip(mixed, 0, 255).astype(np.uint8).reshape(5, -1)


def _draw(key: jax.Array, shape: tuple[int, ...], level: Level) -> Draws:
  """As in the reference, the last offsets and the sixth photograph are never drawn."""
  which, where = jax.random.split(key)
  sizes = level[1].sizes
  index = jax.random.randint(which, (), 0, len(sizes))
  room = sizes[index] - jnp.array(shape[:2])
  row, column = jax.random.randint(where, (2,), 0, room)
  return Draws(index, row, column)


def _frost(pixels: jax.Array, draws: Draws, level: Level) -> jax.Array:
  table, textures = level
  start: Any = (draws.index, draws.row, draws.column, 0)
  crop = jax.lax.dynamic_slice(textures.pixels, start, (1, *pixels.shape))[0]
  index = 256 * pixels.astype(jnp.int32) + crop.astype(jnp.int32)
  return table.at[index].get(mode="promise_in_bounds").astype(pixels.dtype)


frost = Corruption(draw=_draw, apply=_frost, levels=_levels)
