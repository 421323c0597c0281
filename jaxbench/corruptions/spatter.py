"""Spatter: water or mud on the lens (Hendrycks & Dietterich, 2019, arXiv:1903.12261; its code)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbench.corruptions import edges, gaussian
from jaxbench.corruptions.base import Corruption, Leaf, constants
from jaxbench.corruptions.sequential import in_turn

_WATER, _MUD = (175.0, 238.0, 238.0), (63.0, 42.0, 20.0)
_LIMIT = 20  # Pixels; farther from an edge than this is all the same.


class Level(NamedTuple):
  """What the severity sets."""

  mean: Leaf  # [] float32, of the noise that the drops are made of,
  deviation: Leaf  # [] float32, likewise.
  threshold: Leaf  # [] float32, above which there is liquid.
  strength: Leaf  # [] float32, of the water.
  is_mud: Leaf  # [] bool.
  smooth: Leaf  # [R] float32, half a kernel, for the noise.
  spread: Leaf  # [R'] float32, likewise, for the mud.


_constants = constants(  # Mean, deviation, blur, threshold, strength or blur of the mud, is mud.
  imagenet=(
    (0.65, 0.3, 4, 0.69, 0.6, 0),
    (0.65, 0.3, 3, 0.68, 0.6, 0),
    (0.65, 0.3, 2, 0.68, 0.5, 0),
    (0.65, 0.3, 1, 0.65, 1.5, 1),
    (0.67, 0.4, 1, 0.65, 1.5, 1),
  ),
  tiny=(
    (0.62, 0.1, 0.7, 0.7, 0.6, 0),
    (0.65, 0.1, 0.8, 0.7, 0.6, 0),
    (0.65, 0.3, 1, 0.69, 0.6, 0),
    (0.65, 0.1, 0.7, 0.68, 0.6, 1),
    (0.65, 0.1, 0.5, 0.67, 0.6, 1),
  ),
  cifar=(
    (0.62, 0.1, 0.7, 0.7, 0.5, 0),
    (0.65, 0.1, 0.8, 0.7, 0.5, 0),
    (0.65, 0.3, 1, 0.69, 0.5, 0),
    (0.65, 0.1, 0.7, 0.69, 0.6, 1),
    (0.65, 0.1, 0.5, 0.68, 0.6, 1),
  ),
  inception=(
    (0.65, 0.3, 4, 0.69, 0.9, 0),
    (0.65, 0.3, 3.5, 0.68, 0.9, 0),
    (0.65, 0.3, 3, 0.68, 0.8, 0),
    (0.65, 0.3, 1.2, 0.65, 1.8, 1),
    (0.67, 0.4, 1.2, 0.65, 1.8, 1),
  ),
)


def _levels(variant: str, height: int, width: int) -> Level:
  table = _constants(variant, height, width)
  mean, deviation, smooth, threshold, strength, is_mud = table.T
  smooth, spread = (gaussian.kernels(sigmas.tolist()) for sigmas in (smooth, strength))
  return Level(mean, deviation, threshold, strength, is_mud > 0, smooth, spread)


def _draw(key: jax.Array, shape: tuple[int, ...], level: Level) -> jax.Array:
  """Standard normal: without the mean, the blur rounds less."""
  return jax.random.normal(key, shape[:2])


def _spatter(pixels: jax.Array, noise: jax.Array, level: Level) -> jax.Array:
  """One of two operations; when severities are mixed in one batch, both are computed."""
  liquid = level.mean + level.deviation * gaussian.smooth(noise[..., None], level.smooth)[..., 0]
  liquid = jnp.where(liquid < level.threshold, 0, liquid)
  return jax.lax.cond(
    level.is_mud,
    lambda: _with_mud(pixels, liquid, level),
    lambda: with_water(pixels, liquid, level.strength),
  )


def _with_mud(pixels: jax.Array, liquid: jax.Array, level: Level) -> jax.Array:
  covered = (liquid > level.threshold).astype(pixels.dtype)
  mud = gaussian.smooth(covered[..., None], level.spread)
  mud = jnp.where(mud < 0.8, 0, mud)
  return pixels * (1 - mud) + mud * jnp.array(_MUD)[None, None]


def with_water(pixels: jax.Array, liquid: jax.Array, strength: jax.Array) -> jax.Array:
  """Drops are brighter on one side of their edges, as if embossed; without drops, no change.

  Args:
    pixels: float32 [H, W, 3] in 0..255.
    liquid: float32 [H, W], its height; 0 where there is none.
    strength: float32 [], of the light on it.
  """
  depth = (liquid * 255).astype(jnp.int32) & 255
  away = edges.distance(edges.canny(depth, 50, 150), _LIMIT)
  light = _equalized(_box_sum(away) / 9)
  light = (2 * _box_sum(_embossed(light)) + 9) // 18
  water = (depth * light).astype(pixels.dtype)
  water = strength * water / jnp.maximum(water.max(), 1)
  return pixels + water[..., None] * jnp.array(_WATER)[None, None]


@in_turn  # Else a CPU looks bytes up anew for each of the neighbours that need them.
def _equalized(away: jax.Array) -> jax.Array:
  """cv2.equalizeHist of whole numbers 0.._LIMIT -> int32 [H, W] in 0..255."""
  away = away.astype(jnp.int32)
  up_to = jnp.cumsum(jnp.bincount(away.ravel(), length=_LIMIT + 1))
  lowest = away.min()
  rest = away.size - up_to[lowest]
  ranks = (up_to - up_to[lowest]).astype(jnp.float32)
  table = jnp.rint(ranks * (255 / jnp.maximum(rest, 1).astype(jnp.float32)))
  return jnp.where(rest == 0, away, table.astype(jnp.int32)[away])


def _embossed(x: jax.Array) -> jax.Array:
  """cv2.filter2D with the kernel -2 -1 0, -1 1 1, 0 1 2, cut to 8 bits."""
  p = jnp.pad(x, 1, mode="reflect")
  lit = 2 * p[2:, 2:] + p[2:, 1:-1] + p[1:-1, 2:] + x
  return jnp.clip(lit - 2 * p[:-2, :-2] - p[:-2, 1:-1] - p[1:-1, :-2], 0, 255)


def _box_sum(x: jax.Array) -> jax.Array:
  p = jnp.pad(x, 1, mode="reflect")
  rows = p[:-2] + p[1:-1] + p[2:]
  return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]


spatter = Corruption(draw=_draw, apply=_spatter, levels=_levels)
