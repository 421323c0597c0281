"""Digital corruptions (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

import jax
import jax.numpy as jnp

from jaxbench.corruptions import jpeg
from jaxbench.corruptions.base import Corruption, constants, nothing, with_gradient_of


def _contrast(pixels: jax.Array, draws: tuple[()], twentieths: jax.Array) -> jax.Array:
  """mean + factor * (pixel - mean) in whole numbers: flat areas make exact ties common.

  dm_pix.adjust_contrast is the same in float32, which lands on the wrong side of such ties.
  """
  x, factor = pixels.astype(jnp.int32), twentieths.astype(jnp.int32)
  total, count = x.sum(axis=(0, 1), keepdims=True), x.shape[0] * x.shape[1]
  rest = (20 - factor) * (total % count) // count
  exact = (factor * x + (20 - factor) * (total // count) + rest) // 20
  mean = pixels.mean(axis=(0, 1), keepdims=True)
  return with_gradient_of(mean + twentieths / 20 * (pixels - mean), exact.astype(pixels.dtype))


def _jpeg(pixels: jax.Array, draws: tuple[()], quality: jax.Array) -> jax.Array:
  kept = jpeg.round_trip(pixels.astype(jnp.uint8), quality.astype(jnp.int32))
  return with_gradient_of(pixels, kept.astype(pixels.dtype))


contrast = Corruption(
  draw=nothing,
  apply=_contrast,
  levels=constants(imagenet=(8, 6, 4, 2, 1), cifar=(15, 10, 8, 6, 3)),  # Factor, in twentieths.
)

jpeg_compression = Corruption(
  draw=nothing,
  apply=_jpeg,
  levels=constants(
    imagenet=(25, 18, 15, 10, 7),
    tiny=(65, 58, 50, 40, 25),
    cifar=(80, 65, 58, 50, 40),
    inception=(23, 16, 13, 8, 5),
  ),
)
