"""Gaussian smoothing of images tap by tap, the edge repeated, as scikit-image does it."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

_CHUNK = 4  # Taps that are added, or left out as zeros, together.


def kernels(sigmas: Sequence[float], truncate: float = 4) -> np.ndarray:
  """Weights of a pixel's neighbours, the nearest first, zeros at the end: float32 [S, R].

  One row for each of `sigmas`, cut at `truncate` of it; what is left of 1 is the pixel's own.
  """
  radii = [int(truncate * sigma + 0.5) for sigma in sigmas]
  steps = np.arange(1, 1 + _CHUNK * max(1, math.ceil(max(radii) / _CHUNK)))
  rows = []
  for radius, sigma in zip(radii, sigmas, strict=True):
    row = np.where(steps <= radius, np.exp(-(steps**2) / (2 * sigma**2)), 0)
    rows.append(row / (1 + 2 * row.sum()))
  return np.asarray(rows, np.float32)


def smooth(image: jax.Array, kernel: jax.Array) -> jax.Array:
  """Smooths the columns of an image, then its rows.

  On a CPU faster than a product with band matrices, and the more so the narrower the kernel.

  Args:
    image: float32 [H, W, C], on any scale.
    kernel: float32 [R], from `kernels`.

  Returns:
    float32 [H, W, C]; flat areas stay exactly what they are.
  """
  height, width, channels = image.shape
  reach, shape = kernel.shape[0], (height, width * channels)
  tall = jnp.pad(image, ((reach, reach), (0, 0), (0, 0)), mode="edge")
  smoothed = _along(tall.reshape(height + 2 * reach, -1), kernel, (1, 0), shape)
  wide = jnp.pad(smoothed.reshape(image.shape), ((0, 0), (reach, reach), (0, 0)), mode="edge")
  return _along(wide.reshape(height, -1), kernel, (0, channels), shape).reshape(image.shape)


def _along(
  padded: jax.Array, kernel: jax.Array, step: tuple[int, int], shape: tuple[int, int]
) -> jax.Array:
  """Correlation with a symmetric kernel along one axis of rows whose channels lie side by side."""
  reach = kernel.shape[0]

  def window(offset: int | jax.Array) -> jax.Array:
    return jax.lax.dynamic_slice(padded, [(reach + offset) * stride for stride in step], shape)

  def add(total: jax.Array, chunk: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
    offsets, weights = chunk

    def added() -> jax.Array:
      sides = ((window(-offsets[i]), window(offsets[i])) for i in range(_CHUNK))
      return total + sum(
        weights[i] * (before + behind - 2 * middle) for i, (before, behind) in enumerate(sides)
      )

    return jax.lax.cond(weights[0] > 0, added, lambda: total), None

  middle = window(0)
  chunks = jnp.arange(1, reach + 1).reshape(-1, _CHUNK), kernel.reshape(-1, _CHUNK)
  return jax.lax.scan(add, middle, chunks)[0]
