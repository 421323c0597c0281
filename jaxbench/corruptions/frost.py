"""Frost (Hendrycks & Dietterich, 2019, arXiv:1903.12261; its code's constants)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.base import Corruption, Leaf, constants, with_gradient_of
from jaxbench.corruptions.textures import Textures, check_given, procedural_textures


class Mix(NamedTuple):
  """What the severity sets."""

  image: Leaf  # [] float32, weight of the image.
  frost: Leaf  # [] float32, weight of the frost.
  table: Leaf  # [65536] uint8: 256 * pixel + frost mixed, as float64 rounds it.


Level = tuple[Mix, Textures]


class Draws(NamedTuple):
  """Which part of which photograph, each int32 []."""

  which: jax.Array
  row: jax.Array
  column: jax.Array


_weights = constants(  # Of the image and of the frost.
  imagenet=((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
  tiny=((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
  cifar=((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
)


def _levels(variant: str, height: int, width: int) -> Mix:
  image, frost = _weights(variant, height, width).T
  exact = (weight.astype(np.float64).round(6)[:, None, None] for weight in (image, frost))
  mixed = next(exact) * np.arange(256)[:, None] + next(exact) * np.arange(256)
  return Mix(image, frost, np.clip(mixed, 0, 255).astype(np.uint8).reshape(5, -1))


def _draw(key: jax.Array, shape: tuple[int, ...], level: Level) -> Draws:
  """As in the reference, the last offsets and the sixth photograph are never drawn."""
  photograph, where = jax.random.split(key)
  sizes = level[1].sizes
  which = jax.random.randint(photograph, (), 0, len(sizes))
  room = sizes[which] - jnp.array(shape[:2])
  row, column = jax.random.randint(where, (2,), 0, room)
  return Draws(which, row, column)


def _frost(pixels: jax.Array, draws: Draws, level: Level) -> jax.Array:
  mix, textures = level
  start: Any = (draws.which, draws.row, draws.column, 0)
  crop = jax.lax.dynamic_slice(textures.pixels, start, (1, *pixels.shape))[0]
  index = 256 * pixels.astype(jnp.int32) + crop.astype(jnp.int32)
  mixed = mix.table.at[index].get(mode="promise_in_bounds").astype(pixels.dtype)
  return with_gradient_of(mix.image * pixels + mix.frost * crop.astype(pixels.dtype), mixed)


frost = Corruption(_draw, _frost, _levels, textures=check_given, photographs=True)
# Without the reference's photographs: another corruption, in no average.
procedural_frost = frost._replace(
  textures=lambda given, *made_for: procedural_textures(*made_for), photographs=False
)
