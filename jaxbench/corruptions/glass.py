"""Glass blur (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions import gaussian
from jaxbench.corruptions.base import Corruption, Leaf, floor, of_variant
from jaxbench.corruptions.sequential import in_turn

_CONSTANTS: dict[str, tuple[tuple[float, int, int], ...]] = {  # Sigma, reach and passes.
  "imagenet": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
  "tiny": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
  "cifar": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
  "inception": ((0.8, 1, 3), (1, 3, 1), (1.1, 2, 4), (1.2, 4, 2), (1.6, 5, 2)),
}


class Level(NamedTuple):
  """What the severity sets."""

  kernel: Leaf  # [R] float32, see `gaussian.kernels`.
  reach: Leaf  # [] int32, pixels are copied from -reach to reach - 1 away.
  passes: Leaf  # [P] bool, which of them are made.


def _levels(variant: str, height: int, width: int) -> Level:
  sigmas, reaches, passes = zip(*of_variant(_CONSTANTS, variant), strict=True)
  made = np.arange(max(passes)) < np.array(passes)[:, None]
  return Level(gaussian.kernels(sigmas), np.array(reaches, np.int32), made)


def _draw_moves(
  key: jax.Array, shape: tuple[int, ...], level: Level
) -> tuple[jax.Array, jax.Array]:
  """How far right and down each pixel looks in each pass: int32 [P, H, W], half a word for each."""
  words = jax.random.bits(key, (level.passes.shape[0], *shape[:2]))
  halves = words >> jnp.uint32(16), words & jnp.uint32(0xFFFF)
  side = (2 * level.reach).astype(jnp.uint32)
  right, down = ((half * side >> jnp.uint32(16)).astype(jnp.int32) for half in halves)
  return right - level.reach, down - level.reach


def _sources(right: jax.Array, down: jax.Array, reach: jax.Array) -> jax.Array:
  """Which pixel each gets in one pass, int32 [H * W].

  The reference goes backwards through the image and, for all its talk of swapping, copies: a pixel
  gets what its target holds by then, its target's target's if that one has had its turn.
  """
  height, width = right.shape
  y, x = jnp.arange(height)[:, None], jnp.arange(width)[None]

  def inside(y: jax.Array, x: jax.Array) -> jax.Array:
    rows, columns = (reach < y) & (y <= height - reach), (reach < x) & (x <= width - reach)
    return rows & columns

  here, move = y * width + x, down * width + right
  target = jnp.where(inside(y, x), here + move, here)
  had_its_turn = inside(y, x) & inside(y + down, x + right) & (move > 0)
  chain = jnp.where(had_its_turn, target, here).ravel()
  ends = jax.lax.while_loop(lambda c: (c[c] != c).any(), lambda c: c[c], chain)
  return target.ravel()[ends]


def _shuffled(right: jax.Array, down: jax.Array, level: Level) -> jax.Array:
  """Which pixel each has got after all passes, int32 [H * W]."""

  def one_pass(sources: jax.Array, step: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
    right, down, made = step
    return jax.lax.cond(
      made, lambda: sources[_sources(right, down, level.reach)], lambda: sources
    ), None

  start = jnp.arange(right[0].size)
  return jax.lax.scan(one_pass, start, (right, down, level.passes))[0]


@in_turn
def _blur(pixels: jax.Array, moves: tuple[jax.Array, jax.Array], level: Level) -> jax.Array:
  """Blurred, cut to 8 bits, shuffled nearby, and blurred again."""
  cut = floor(gaussian.smooth(pixels, level.kernel))
  shuffled = cut.reshape(-1, 3)[_shuffled(*moves, level)].reshape(cut.shape)
  return gaussian.smooth(shuffled, level.kernel)


glass_blur = Corruption(_draw_moves, _blur, _levels)
