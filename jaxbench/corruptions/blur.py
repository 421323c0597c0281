"""Gaussian blur (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from jaxbench import errors
from jaxbench.corruptions import gaussian
from jaxbench.corruptions.base import VARIANTS, Corruption, Level, nothing

_SIGMAS = {
  "imagenet": (1, 2, 3, 4, 6),
  "tiny": (0.5, 0.75, 1, 1.25, 1.5),
  "cifar": (0.4, 0.6, 0.7, 0.8, 1),
  "inception": (1.5, 2.5, 3.5, 4.5, 6.5),
}


def matrices(sigmas: Sequence[float], size: int) -> np.ndarray:
  """The blur of a line of `size` pixels, its ends repeated: float32 [S, size, size].

  One per sigma, all of one shape: a product with them costs the same whatever the sigma.
  """
  blurs = [
    ndimage.gaussian_filter1d(np.eye(size), sigma, axis=0, mode="nearest") for sigma in sigmas
  ]
  return np.asarray(blurs, np.float32)


def separable(image: jax.Array, down: jax.Array, across: jax.Array) -> jax.Array:
  """A linear operation on the columns of an image [H, W, C], then another on its rows.

  Args:
    image: float32 [H, W, C].
    down: float32 [H', H].
    across: float32 [W', W].

  Returns:
    float32 [H', W', C].
  """
  highest = jax.lax.Precision.HIGHEST  # Less would show in the 8 bits.
  return jnp.einsum("ij,jkc,lk->ilc", down, image, across, precision=highest)


def _levels(variant: str, height: int, width: int) -> np.ndarray:
  if variant not in VARIANTS:
    raise errors.unknown("variant", variant, VARIANTS)
  return gaussian.kernels(_SIGMAS.get(variant, _SIGMAS["imagenet"]))


def _blur(pixels: jax.Array, draws: tuple[()], level: Level) -> jax.Array:
  return gaussian.smooth(pixels, level)


gaussian_blur = Corruption(nothing, _blur, _levels)
