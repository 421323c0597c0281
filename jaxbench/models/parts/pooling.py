"""Pooling, as torch does it; of the largest on a CPU with code of our own.

XLA's takes 9 to 27 times as long there for the gradient.
"""

import functools
import operator

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxbench.models.parts import convolution_cpu


def max_pool(x: jax.Array, window: int, stride: int, padding: int = 0) -> jax.Array:
  """float [B, H, W, C] -> the largest of each window, padded as torch pads."""
  margins = ((padding, padding), (padding, padding))
  moves = convolution_cpu.Window((stride, stride), margins)
  pool = functools.partial(
    nnx.max_pool, window_shape=(window, window), strides=(stride, stride), padding=margins
  )
  on_cpu = functools.partial(_max_pool, window=window, moves=moves, shape=x.shape)
  return lax.platform_dependent(x, cpu=on_cpu, default=pool)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _max_pool(
  x: jax.Array, window: int, moves: convolution_cpu.Window, shape: tuple[int, ...]
) -> jax.Array:
  """The shape is that of x, which the gradient asks for."""
  return _forward(x, window, moves, shape)[0]


def _forward(
  x: jax.Array, window: int, moves: convolution_cpu.Window, shape: tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
  """The largest of each window, and which it is, counted from 1; of equals the first."""
  largest, *others = convolution_cpu.windows(x, [window, window], moves, -jnp.inf)
  place = jnp.ones(largest.shape, jnp.int32)
  for index, other in enumerate(others, 2):
    found = (other > largest) | jnp.isnan(other)
    largest, place = jnp.where(found, other, largest), jnp.where(found, index, place)
  return largest, place


def _backward(
  window: int,
  moves: convolution_cpu.Window,
  shape: tuple[int, ...],
  place: jax.Array,
  slope: jax.Array,
) -> tuple[jax.Array]:
  """Each element of x asks the windows that see it whether it was their largest."""
  counted = jnp.arange(1, window * window + 1, dtype=place.dtype).reshape(window, window, 1, 1)
  own, seen = convolution_cpu.phases(place, counted, moves, shape)
  height, down, width, across, _, _ = own.shape
  own = own.swapaxes(1, 2).reshape(-1, 1, 1, down, 1, across, 1)
  asked, slopes = (
    [y[:, :, None, :, None] for y in convolution_cpu.windows(y, [height, width], seen)]
    for y in (place, slope)
  )
  shares = (
    jnp.where(place == number, slope, jnp.zeros((), slope.dtype))
    for place, number, slope in zip(asked, own, slopes, strict=True)
  )
  return (convolution_cpu.joined(functools.reduce(operator.add, shares), shape),)


_max_pool.defvjp(_forward, _backward)


def average_pool(x: jax.Array, window: int) -> jax.Array:
  """float [B, H, W, C] -> the mean of each window; windows do not overlap."""
  batch, height, width, channels = x.shape
  rows, columns = height // window, width // window
  x = x[:, : rows * window, : columns * window]
  return x.reshape(batch, rows, window, columns, window, channels).mean(axis=(2, 4))


def adaptive_average_pool(x: jax.Array, size: int) -> jax.Array:
  """float [B, H, W, C] -> [B, size, size, C], with torch's bins."""
  if x.shape[1:3] == (size, size):
    return x
  for axis in (1, 2):
    length = x.shape[axis]
    bins = [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
    means = [lax.slice_in_dim(x, *ends, axis=axis).mean(axis=axis, keepdims=True) for ends in bins]
    x = jnp.concatenate(means, axis=axis)
  return x
