"""Rotary position embedding in two dimensions, as EVA-02, PE and DINOv3 have it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Rotary:
  """How queries and keys turn with the row and the column of their patch
  (Su et al., 2021, arXiv:2104.09864).

  Half of a head's pairs of numbers turn with the one, half with the other, each pair slower than
  the one before.
  """

  reach: float  # How far the first pair turns along a side of the grid.
  temperature: float = 10_000.0  # The first pair turns about that much as far as the last.
  offset: float | None = 0.0  # Where the first patch is, in patches; None: 0 is the grid's middle.
  columns_first: bool = False  # Whether the first half of the pairs turns with the column.
  halves: bool = False  # Whether a pair is one number of each half of the head, not neighbours.

  def angles(self, side: int, pairs: int) -> np.ndarray:
    """float64 [side * side, pairs], of each patch."""
    offset = 0.5 - side / 2 if self.offset is None else self.offset
    places = self.reach * (np.arange(side) + offset) / side
    turns = places[:, None] * self.temperature ** -(np.arange(pairs // 2) / (pairs // 2))
    rows, columns = np.repeat(turns, side, axis=0), np.tile(turns, (side, 1))
    return np.concatenate([columns, rows] if self.columns_first else [rows, columns], axis=1)


def turned(x: jax.Array, angles: np.ndarray, heads: int, *, halves: bool) -> jax.Array:
  """float [B, T, D], the pairs of each head turned by [at least T, D / heads / 2]."""
  batch, length, _ = x.shape
  pairs, axis = angles.shape[1], 3 if halves else 4
  dtype = jnp.float32 if jnp.finfo(x.dtype).bits < 32 else x.dtype
  shape = (batch, length, heads, 2, pairs) if halves else (batch, length, heads, pairs, 2)
  one, other = jnp.moveaxis(x.astype(dtype).reshape(shape), axis, 0)
  cos, sin = (jnp.asarray(f(angles[None, :length, None]), dtype) for f in (np.cos, np.sin))
  turned = jnp.stack([one * cos - other * sin, one * sin + other * cos], axis=axis)
  return turned.reshape(x.shape).astype(x.dtype)
