"""Brightness and saturation (Hendrycks & Dietterich, 2019, arXiv:1903.12261; its code's constants).

The reference goes through hue, saturation and value in float64. Hue cancels out, and what is left
for the largest and the smallest channel depends on two bytes: tables hold it as float64 rounds it.
dm_pix.rgb_to_hsv is the same in float32, which cuts 3 % of brightened bytes on the wrong side.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.base import Corruption, Leaf, constants, nothing, with_gradient_of


class SaturateLevel(NamedTuple):
  """What the severity sets."""

  factor: Leaf  # [] float32, of the saturation.
  offset: Leaf  # [] float32, added to the saturation.
  darkest: Leaf  # [65536] uint8: smallest channel at 256 * largest + smallest.


_brightness_constants = constants(  # Added to the value.
  imagenet=(0.1, 0.2, 0.3, 0.4, 0.5), cifar=(0.05, 0.1, 0.15, 0.2, 0.3)
)


def _brightness_levels(variant: str, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
  return brightenings(_brightness_constants(variant, height, width))


def brightenings(added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Levels of `brightness` for values float32 [A], in [-1, 1], on top of an image's.

  They are what is added, [A], and a channel's new byte at 256 * (largest channel) + (channel),
  [A, 65536].
  """
  largest, channel = _two_bytes()
  value = np.clip(largest + added.astype(np.float64).round(6)[:, None], 0, 1)
  return added, _bytes(value * (1 - _saturation(largest, channel)))


def _brightness(
  pixels: jax.Array, draws: tuple[()], level: tuple[jax.Array, jax.Array]
) -> jax.Array:
  """A constant on top of the value scales all three channels by the same ratio."""
  added, table = level
  largest = pixels.max(axis=-1, keepdims=True)
  ratio = jnp.clip(largest + 255 * added, 0, 255) / jnp.maximum(largest, 1)
  return with_gradient_of(ratio * pixels, _at(table, largest, pixels))


_saturate_constants = constants(  # Factor and offset.
  imagenet=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
  tiny=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
  cifar=((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
)


def _saturate_levels(variant: str, height: int, width: int) -> SaturateLevel:
  factor, offset = _saturate_constants(variant, height, width).astype(np.float64).round(6).T
  largest, smallest = _two_bytes()
  saturation = _saturation(largest, smallest) * factor[:, None] + offset[:, None]
  darkest = _bytes(largest * (1 - np.clip(saturation, 0, 1)))
  return SaturateLevel(factor.astype(np.float32), offset.astype(np.float32), darkest)


def _saturate(pixels: jax.Array, draws: tuple[()], level: SaturateLevel) -> jax.Array:
  """The largest channel stays; grey counts as red, so that an offset makes it reddish."""
  largest = pixels.max(axis=-1, keepdims=True)
  smallest = pixels.min(axis=-1, keepdims=True)
  span = largest - smallest
  saturation = jnp.minimum(level.factor * span / jnp.maximum(largest, 1) + level.offset, 1)
  middle = largest - largest * saturation * (largest - pixels) / jnp.maximum(span, 1)
  middle += 1e-4  # Less than any true fraction: exact whole numbers, which are common, stay whole.
  smooth = largest * (1 - saturation)
  darkest = with_gradient_of(smooth, _at(level.darkest, largest, smallest))
  red = jnp.arange(3)[None, None] == 0
  stays = (pixels == largest) & ((span > 0) | red)
  return jnp.where(stays, pixels, jnp.where(pixels == smallest, darkest, middle))


def _two_bytes() -> tuple[np.ndarray, np.ndarray]:
  """Both bytes of every index 0..65535, in [0, 1]."""
  first, second = np.divmod(np.arange(256 * 256), 256)
  return first / 255, second / 255


def _saturation(largest: np.ndarray, smallest: np.ndarray) -> np.ndarray:
  return (largest - np.minimum(smallest, largest)) / np.maximum(largest, 1 / 255)


def _bytes(unit: np.ndarray) -> np.ndarray:
  return (unit * 255).astype(np.uint8)


def _at(table: jax.Array, first: jax.Array, second: jax.Array) -> jax.Array:
  index = 256 * first.astype(jnp.int32) + second.astype(jnp.int32)
  return table.at[index].get(mode="promise_in_bounds").astype(first.dtype)


brightness = Corruption(draw=nothing, apply=_brightness, levels=_brightness_levels)
saturate = Corruption(draw=nothing, apply=_saturate, levels=_saturate_levels)
