"""Glass blur (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import errors
from jaxbench.corruptions import blur
from jaxbench.corruptions.base import VARIANTS, Corruption, floor

_CONSTANTS: dict[str, tuple[tuple[float, int, int], ...]] = {  # Sigma, reach and passes.
  "imagenet": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
  "tiny": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
  "cifar": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
  "inception": ((0.8, 1, 3), (1, 3, 1), (1.1, 2, 4), (1.2, 4, 2), (1.6, 5, 2)),
}


class _Level(NamedTuple):
  down: Any  # float32 [H, H], see `blur.matrices`.
  across: Any  # float32 [W, W].
  reach: Any  # [] int32, pixels are copied from -reach to reach - 1 away.
  passes: Any  # [P] bool, which of them are made.


def _levels(variant: str, height: int, width: int) -> _Level:
  if variant not in VARIANTS:
    raise errors.unknown("variant", variant, VARIANTS)
  sigmas, reaches, passes = zip(*_CONSTANTS.get(variant, _CONSTANTS["imagenet"]), strict=True)
  made = np.arange(max(passes)) < np.array(passes)[:, None]
  down, across = blur.matrices(sigmas, height), blur.matrices(sigmas, width)
  return _Level(down, across, np.array(reaches, np.int32), made)


def _draw_offsets(key: jax.Array, shape: tuple[int, ...], level: _Level) -> jax.Array:
  """int32 [P, H, W, 2]: where each pixel looks in each pass, right and down; one word for both."""
  side = 2 * level.reach
  draws = jax.random.uniform(key, (level.passes.shape[0], *shape[:2]))
  cells = (draws * (side * side).astype(jnp.float32)).astype(jnp.int32)
  down, right = jnp.divmod(cells, side)
  return jnp.stack([right, down], axis=-1) - level.reach


def _sources(offsets: jax.Array, reach: jax.Array) -> jax.Array:
  """Which pixel each gets in one pass, int32 [H * W].

  The reference goes backwards through the image and, for all its talk of swapping, copies: a pixel
  gets what its target holds by then, its target's target's if that one has had its turn.
  """
  height, width, _ = offsets.shape
  y, x = jnp.arange(height)[:, None], jnp.arange(width)[None]

  def inside(y: jax.Array, x: jax.Array) -> jax.Array:
    rows, columns = (reach < y) & (y <= height - reach), (reach < x) & (x <= width - reach)
    return rows & columns

  ty, tx = y + offsets[..., 1], x + offsets[..., 0]
  here = y * width + x
  target = jnp.where(inside(y, x), ty * width + tx, here).ravel()
  earlier = inside(y, x) & inside(ty, tx) & (target.reshape(here.shape) > here)
  chain = jnp.where(earlier.ravel(), target, here.ravel())
  ends = jax.lax.while_loop(lambda c: (c[c] != c).any(), lambda c: c[c], chain)
  return target[ends]


def _shuffle(pixels: jax.Array, offsets: jax.Array, level: _Level) -> jax.Array:
  height, width, channels = pixels.shape

  def one_pass(sources: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
    moves, made = step
    return jax.lax.cond(made, lambda: sources[_sources(moves, level.reach)], lambda: sources), None

  start = jnp.arange(height * width)
  sources, _ = jax.lax.scan(one_pass, start, (offsets, level.passes))
  return pixels.reshape(-1, channels)[sources].reshape(pixels.shape)


def _blur(pixels: jax.Array, offsets: jax.Array, level: _Level) -> jax.Array:
  """Blurred, cut to 8 bits, shuffled nearby, and blurred again."""
  cut = floor(blur.separable(pixels, level.down, level.across))
  return blur.separable(_shuffle(cut, offsets, level), level.down, level.across)


glass_blur = Corruption(_draw_offsets, _blur, _levels)
