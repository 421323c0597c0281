"""Attention within windows of an image, shifted or not (Liu et al., 2021, arXiv:2103.14030; by the
cosine, with continuous biases: Liu et al., 2021, arXiv:2111.09883)."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench.models.parts import distances
from jaxbench.models.parts.layers import Linear

_APART = -100.0  # Added to the scores of positions that are neighbours only by the shift.
_HIDDEN = 512  # Width of the layer that makes biases of distances.
_FARTHEST, _LARGEST_BIAS, _LARGEST_SCALE = 8.0, 16.0, 100.0


@dataclasses.dataclass(frozen=True)
class Windows:
  """How a block cuts the positions of an image."""

  side: int  # Positions on a side of the image.
  size: int  # On a side of a window.
  shift: int = 0

  def cut(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, windows, T, C]."""
    batch, width, number = x.shape[0], x.shape[-1], self.side // self.size
    x = jnp.roll(x, (-self.shift, -self.shift), (1, 2))
    x = x.reshape(batch, number, self.size, number, self.size, width)
    return x.swapaxes(2, 3).reshape(batch, number**2, self.size**2, width)

  def joined(self, x: jax.Array) -> jax.Array:
    """The way back."""
    batch, width, number = x.shape[0], x.shape[-1], self.side // self.size
    x = x.reshape(batch, number, number, self.size, self.size, width)
    x = x.swapaxes(2, 3).reshape(batch, self.side, self.side, width)
    return jnp.roll(x, (self.shift, self.shift), (1, 2))

  def strangers(self) -> np.ndarray:
    """bool [windows, 1, T, T], the positions of a shifted window that are far apart."""
    band = np.zeros(self.side, np.int32)
    if self.shift:
      band[-self.size :], band[-self.shift :] = 1, 2
    number = self.side // self.size
    regions = (3 * band[:, None] + band[None]).reshape(number, self.size, number, self.size)
    region = regions.swapaxes(1, 2).reshape(number**2, 1, self.size**2)
    return region[..., :, None] != region[..., None, :]


def _heads(x: jax.Array, heads: int) -> tuple[jax.Array, ...]:
  """Query, key and value [B, windows, T, 3 C] -> three of [B, windows, heads, T, D]."""
  parts = jnp.moveaxis(x.reshape(*x.shape[:-1], 3, heads, -1), -3, 0)
  return tuple(part.swapaxes(-2, -3) for part in parts)


def _mixed(
  scores: jax.Array, bias: jax.Array, value: jax.Array, windows: Windows, apart: float
) -> jax.Array:
  """What positions take from each other: scores [B, windows, heads, T, T] -> [B, windows, T, C]."""
  scores = scores + bias[None, None]
  if windows.shift:
    scores = scores + np.where(windows.strangers(), np.float32(apart), np.float32(0))[None]
  x = (jax.nn.softmax(scores).astype(value.dtype) @ value).swapaxes(-2, -3)
  return x.reshape(*x.shape[:-2], -1)


class WindowAttention(nnx.Module):
  """Multi-head self-attention within windows, none of which sees another."""

  def __init__(self, width: int, heads: int, windows: Windows, *, rngs: nnx.Rngs):
    self.heads, self.windows = heads, windows
    self.qkv = Linear(width, 3 * width, rngs=rngs)
    self.proj = Linear(width, width, rngs=rngs)
    # One row for each distance between two positions of a window.
    self.bias_table = nnx.Param(jnp.zeros(((2 * windows.size - 1) ** 2, heads)))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    query, key, value = _heads(self.qkv(self.windows.cut(x)), self.heads)
    scores = query * query.shape[-1] ** -0.5 @ key.swapaxes(-1, -2)
    bias = self.bias_table[...][distances.of_patches(self.windows.size)]
    bias = bias.astype(jnp.float32).transpose(2, 0, 1)
    mixed = _mixed(scores.astype(jnp.float32), bias, value, self.windows, _APART)
    return self.windows.joined(self.proj(mixed))


class CosineWindowAttention(nnx.Module):
  """The same by cosines, with a factor for each head; a small network makes biases of distances.

  Args:
    width: of a position.
    heads: among which it is divided.
    windows: see there.
    trained: the size of the windows whose largest distance is the unit; 0 for that of `windows`.
    twice: whether strangers are held apart twice, as transformers does.
    rngs: of the weights.
  """

  def __init__(
    self,
    width: int,
    heads: int,
    windows: Windows,
    *,
    trained: int = 0,
    twice: bool = False,
    rngs: nnx.Rngs,
  ):
    self.heads, self.windows = heads, windows
    self.trained, self.apart = trained, _APART * (2 if twice else 1)
    self.qkv = Linear(width, 3 * width, use_bias=False, rngs=rngs)
    self.qv_bias = nnx.Param(jnp.zeros(2 * width))
    self.log_scale = nnx.Param(jnp.full(heads, math.log(10.0)))
    self.bias_fc1 = Linear(2, _HIDDEN, rngs=rngs)
    self.bias_fc2 = Linear(_HIDDEN, heads, use_bias=False, rngs=rngs)
    self.proj = Linear(width, width, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    x = self.qkv(self.windows.cut(x))
    query, value = jnp.split(self.qv_bias[...].astype(x.dtype), 2)
    bias = jnp.concatenate([query, jnp.zeros_like(query), value])
    query, key, value = _heads(x + bias[None, None, None], self.heads)
    cosines = _normalized(query) @ _normalized(key).swapaxes(-1, -2)
    log_scale = jnp.minimum(self.log_scale[...].astype(jnp.float32), math.log(_LARGEST_SCALE))
    scores = cosines.astype(jnp.float32) * jnp.exp(log_scale)[None, None, :, None, None]
    mixed = _mixed(scores, self._bias(), value, self.windows, self.apart)
    return self.windows.joined(self.proj(mixed))

  def _bias(self) -> jax.Array:
    """float32 [heads, T, T], of query and key."""
    table = self.bias_fc2(jax.nn.relu(self.bias_fc1(_distances(self.windows.size, self.trained))))
    bias = table[distances.of_patches(self.windows.size)].transpose(2, 0, 1)
    return _LARGEST_BIAS * jax.nn.sigmoid(bias)


def _normalized(x: jax.Array) -> jax.Array:
  """float [..., D] -> of norm 1, and of 0 where it is 0."""
  y = x.astype(jnp.float32)
  return (y * jax.lax.rsqrt(jnp.maximum(jnp.square(y).sum(-1, keepdims=True), 1e-24))).astype(
    x.dtype
  )


def _distances(window: int, trained: int) -> jax.Array:
  """float32 [distances, 2], from query to key down and right, on a scale of logarithms."""
  unit = max((trained or window) - 1, 1)
  steps = np.arange(1 - window, window) * _FARTHEST / unit
  steps = np.sign(steps) * np.log2(np.abs(steps) + 1) / math.log2(_FARTHEST)
  grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1)
  return jnp.asarray(grid.reshape(-1, 2), jnp.float32)
