"""Where the pixels of an image are."""

import jax
import jax.numpy as jnp


def points(shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """Rows float32 [H, 1] and columns [1, W], from 0."""
  height, width = shape[:2]
  rows = jnp.arange(height, dtype=jnp.float32)[:, None]
  return rows, jnp.arange(width, dtype=jnp.float32)[None]


def side(shape: tuple[int, ...]) -> int:
  """What their formulas call the size of an image."""
  return max(shape[:2])
