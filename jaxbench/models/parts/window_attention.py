"""Attention within windows of an image, shifted or not (Liu et al., 2021, arXiv:2103.14030)."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench.models.parts import distances
from jaxbench.models.parts.layers import Linear

_APART = -100.0  # Added to the scores of positions that are neighbours only by the shift.


class WindowAttention(nnx.Module):
  """Multi-head self-attention within windows, which a shift moves; none sees another."""

  def __init__(self, width: int, heads: int, window: int, shift: int, *, rngs: nnx.Rngs):
    self.heads, self.window, self.shift = heads, window, shift
    self.qkv = Linear(width, 3 * width, rngs=rngs)
    self.proj = Linear(width, width, rngs=rngs)
    # One row for each distance between two positions of a window.
    self.bias_table = nnx.Param(jnp.zeros(((2 * window - 1) ** 2, heads)))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    side, window = x.shape[1], self.window
    batch, length, width = x.shape[0], window * window, x.shape[-1]
    x = jnp.roll(x, (-self.shift, -self.shift), (1, 2))
    x = _cut(x, window)
    parts = jnp.moveaxis(self.qkv(x).reshape(*x.shape[:-1], 3, self.heads, -1), -3, 0)
    query, key, value = (part.swapaxes(-2, -3) for part in parts)  # [B, windows, heads, T, D].
    scores = query * query.shape[-1] ** -0.5 @ key.swapaxes(-1, -2)
    bias = self.bias_table[...][distances.of_patches(window)]
    scores = scores.astype(jnp.float32) + bias.astype(jnp.float32).transpose(2, 0, 1)[None, None]
    if self.shift:
      scores = scores + _strangers(side, window, self.shift)[None, :, None]
    x = jax.nn.softmax(scores).astype(value.dtype) @ value
    x = self.proj(x.swapaxes(-2, -3).reshape(batch, -1, length, width))
    x = x.reshape(batch, side // window, side // window, window, window, width)
    x = x.swapaxes(2, 3).reshape(batch, side, side, width)
    return jnp.roll(x, (self.shift, self.shift), (1, 2))


def _cut(x: jax.Array, window: int) -> jax.Array:
  """float [B, H, W, C] -> [B, windows, positions, C]."""
  batch, side, _, width = x.shape
  x = x.reshape(batch, side // window, window, side // window, window, width)
  return x.swapaxes(2, 3).reshape(batch, -1, window * window, width)


def _strangers(side: int, window: int, shift: int) -> np.ndarray:
  """What keeps apart positions of a shifted window that are far apart: [windows, T, T]."""
  band = np.zeros(side, np.int32)
  band[-window:], band[-shift:] = 1, 2
  regions = (3 * band[:, None] + band[None]).reshape(side // window, window, -1, window)
  region = regions.swapaxes(1, 2).reshape(-1, window * window)
  return np.where(region[:, :, None] == region[:, None], np.float32(0), np.float32(_APART))
