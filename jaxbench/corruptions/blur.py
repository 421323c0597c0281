"""Gaussian blur (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

import jax
import numpy as np

from jaxbench import errors
from jaxbench.corruptions import gaussian
from jaxbench.corruptions.base import VARIANTS, Corruption, Level, nothing

_SIGMAS = {
  "imagenet": (1, 2, 3, 4, 6),
  "tiny": (0.5, 0.75, 1, 1.25, 1.5),
  "cifar": (0.4, 0.6, 0.7, 0.8, 1),
  "inception": (1.5, 2.5, 3.5, 4.5, 6.5),
}


def _levels(variant: str, height: int, width: int) -> np.ndarray:
  if variant not in VARIANTS:
    raise errors.unknown("variant", variant, VARIANTS)
  return gaussian.kernels(_SIGMAS.get(variant, _SIGMAS["imagenet"]))


def _blur(pixels: jax.Array, draws: tuple[()], level: Level) -> jax.Array:
  return gaussian.smooth(pixels, level)


gaussian_blur = Corruption(nothing, _blur, _levels)
