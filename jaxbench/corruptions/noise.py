"""Noise (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

import jax
import jax.numpy as jnp

from jaxbench.corruptions.base import Corruption, constants


def _draw_gaussian(key: jax.Array, shape: tuple[int, ...], deviation: jax.Array) -> jax.Array:
  return deviation * jax.random.normal(key, shape)


def _add(pixels: jax.Array, noise: jax.Array, deviation: jax.Array) -> jax.Array:
  return (pixels / 255 + noise) * 255


def _add_in_proportion(pixels: jax.Array, noise: jax.Array, deviation: jax.Array) -> jax.Array:
  unit = pixels / 255
  return (unit + unit * noise) * 255


def _draw_flips(
  key: jax.Array, shape: tuple[int, ...], amount: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Which values are lost and, if so, which become white: two booleans from one random word."""
  words = jax.random.bits(key, shape)
  flipped = (words >> jnp.uint32(1)) < (amount * 2.0**31).astype(jnp.uint32)
  return flipped, (words & jnp.uint32(1)).astype(bool)


def _flip(pixels: jax.Array, flips: tuple[jax.Array, jax.Array], amount: jax.Array) -> jax.Array:
  flipped, salted = flips
  return jnp.where(flipped, jnp.where(salted, 255.0, 0.0), pixels)


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

impulse_noise = Corruption(
  draw=_draw_flips,
  apply=_flip,
  levels=constants(  # Share of the values, each channel for itself.
    imagenet=(0.03, 0.06, 0.09, 0.17, 0.27),
    tiny=(0.01, 0.02, 0.05, 0.08, 0.14),
    cifar=(0.01, 0.02, 0.03, 0.05, 0.07),
    inception=(0.04, 0.07, 0.10, 0.18, 0.28),
  ),
)

speckle_noise = Corruption(
  draw=_draw_gaussian,
  apply=_add_in_proportion,
  levels=constants(  # Standard deviation, relative to the pixel.
    imagenet=(0.15, 0.2, 0.35, 0.45, 0.6),
    tiny=(0.15, 0.2, 0.25, 0.3, 0.35),
    cifar=(0.06, 0.1, 0.12, 0.16, 0.2),
    inception=(0.16, 0.21, 0.36, 0.46, 0.61),
  ),
)
