"""Noise (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

import jax

from jaxbench.corruptions.base import Corruption, constants


def _draw_gaussian(key: jax.Array, shape: tuple[int, ...], deviation: jax.Array) -> jax.Array:
  return deviation * jax.random.normal(key, shape)


def _add(pixels: jax.Array, noise: jax.Array, deviation: jax.Array) -> jax.Array:
  return (pixels / 255 + noise) * 255


gaussian_noise = Corruption(
  draw=_draw_gaussian,
  apply=_add,
  levels=constants(  # Standard deviation, images in [0, 1].
    imagenet=(0.08, 0.12, 0.18, 0.26, 0.38),
    tiny=(0.04, 0.08, 0.12, 0.15, 0.18),
    cifar=(0.04, 0.06, 0.08, 0.09, 0.10),
    inception=(0.09, 0.13, 0.19, 0.27, 0.40),
  ),
)
