"""Motion blur as ImageMagick does it (Hendrycks & Dietterich, 2019; constants of its code).

A one-sided Gaussian: each pixel averages the pixels from itself on along a line, the nearest pixel
at each unit step, the edge repeated.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.base import Corruption, Level, floor, of_variant
from jaxbench.corruptions.sequential import in_turn

# How ImageMagick brings 16 bits back to 8: to the nearest until October 2019, so in the published
# sets, and down since then.
IM_ROUNDS = ("nearest", "floor")

_RADII_AND_SIGMAS: dict[str, tuple[tuple[float, float], ...]] = {
  "imagenet": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
  "tiny": ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
  "cifar": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
  "inception": ((12, 4), (17, 6), (17, 9), (17, 13), (22, 16)),
}


def kernels(radii_and_sigmas: Sequence[tuple[float, float]]) -> np.ndarray:
  """The weights along the line, one row per (radius, sigma): float32 [N, K], zeros at the end."""
  lengths = [2 * math.ceil(radius) + 1 for radius, _ in radii_and_sigmas]
  steps = np.arange(max(lengths))
  rows = []
  for length, (_, sigma) in zip(lengths, radii_and_sigmas, strict=True):
    row = np.where(steps < length, np.exp(-(steps**2) / (2 * sigma**2)), 0)
    rows.append(row / row.sum())
  return np.asarray(rows, np.float32)


def smear(image: jax.Array, weights: jax.Array, degrees: jax.Array) -> jax.Array:
  """The weighted sum of copies of an image shifted along a line.

  Args:
    image: float32 [H, W, C], on any scale.
    weights: float32 [K], of the pixel itself first; from `kernels`.
    degrees: float32 [], the line's angle: 0 looks to the right, 90 down.

  Returns:
    float32 [H, W, C], not rounded.
  """
  steps, angle = jnp.arange(weights.shape[0], dtype=jnp.float32), jnp.deg2rad(degrees)
  # Halves go down.
  down = jnp.ceil(steps * jnp.sin(angle) - 0.5).astype(jnp.int32)
  right = jnp.ceil(steps * jnp.cos(angle) - 0.5).astype(jnp.int32)
  return shifted_sum(image, weights, down, right)


@in_turn
def shifted_sum(
  image: jax.Array, weights: jax.Array, down: jax.Array, right: jax.Array
) -> jax.Array:
  """The weighted sum of shifted copies of an image, its edge repeated.

  Args:
    image: float32 [H, W, C], on any scale.
    weights: float32 [K].
    down: int32 [K], where each copy's pixels come from, less than K away in either direction.
    right: int32 [K], likewise.

  Returns:
    float32 [H, W, C], not rounded.
  """
  height, width, channels = image.shape
  reach = weights.shape[0] - 1
  wide = jnp.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
  rows = wide.reshape(height + 2 * reach, -1)  # One long axis: vector units work along it.

  def add(total: jax.Array, tap: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
    weight, y, x = tap
    shifted = jax.lax.dynamic_slice(rows, (y, channels * x), total.shape)
    return total + weight * shifted, None

  start = jnp.zeros((height, width * channels))
  total, _ = jax.lax.scan(add, start, (weights, reach + down, reach + right), unroll=4)
  return total.reshape(image.shape)


def rounded(pixels: jax.Array, im_round: str) -> jax.Array:
  """`pixels` in 0..255 as ImageMagick stores them: in 16 bits, then in 8 by `im_round`."""
  in_16_bits = floor(257 * pixels + 0.5)
  return floor(in_16_bits / 257 + (0.5 if im_round == "nearest" else 0.0))


def _draw_angle(key: jax.Array, shape: tuple[int, ...], level: Level) -> jax.Array:
  return jax.random.uniform(key, (), minval=-45.0, maxval=45.0)


def _levels(variant: str, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
  """The weights along the line, and whether the sum is rounded as ImageMagick rounds."""
  rows = of_variant(_RADII_AND_SIGMAS, variant)
  # The package imagecorruptions adds in floating point and cuts down. That it stops where a line is
  # longer than the picture, and so darkens what has less than 42 pixels, is not followed.
  return kernels(rows), np.full(5, variant != "imagecorruptions")


def _motion_blur(im_round: str) -> Corruption:
  """Blur along a line at an angle from -45 to 45 degrees; `im_round` from `IM_ROUNDS`."""

  def apply(pixels: jax.Array, degrees: jax.Array, level: Level) -> jax.Array:
    weights, in_16_bits = level
    blurred = smear(pixels, weights, degrees)
    return jnp.where(in_16_bits, rounded(blurred, im_round), blurred)

  return Corruption(_draw_angle, apply, _levels)


motion_blur = _motion_blur("nearest")._replace(floored=_motion_blur("floor"))
