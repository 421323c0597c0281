"""Blur that turns or grows (Hendrycks & Dietterich, 2019; constants of its code)."""

import math
from typing import NamedTuple

import jax
import numpy as np

from jaxbench import errors
from jaxbench.corruptions import gaussian, motion
from jaxbench.corruptions.sequences.base import (
  Schedule,
  Sequence,
  Shape,
  of_image,
  of_variant,
  steps,
)


class Taps(NamedTuple):
  """Where ImageMagick takes the pixels of a motion blur from."""

  down: np.ndarray  # [T, K] int32.
  right: np.ndarray  # [T, K] int32.


def taps(length: int, degrees: np.ndarray) -> Taps:
  """One line of `length` for each of `degrees` [T].

  At multiples of 30 degrees every other tap lies half way between two pixels, and float64's last
  digit decides: so it is computed here, as ImageMagick does.
  """
  radians = np.pi * degrees[:, None] / 180
  y, x = length * np.sin(radians), length * np.cos(radians)
  along = [np.ceil(np.arange(length) * part / np.hypot(y, x) - 0.5) for part in (y, x)]
  return Taps(*(part.astype(np.int32) for part in along))


_MOTION = {  # Frames, radius, sigma, degrees from frame to frame; the last frame is at 0.
  "imagenet": (31, 10, 3, 4),
  "cifar": (21, 6, 1.8, 9),
  "inception": (31, 13, 3, 4),
}


def _motion_schedule(variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
  if variant == "tiny":
    raise errors.InputError(
      "Tiny-ImageNet-P blurs whole photographs before it shrinks them: there is no motion_blur "
      "sequence of an image of 64 pixels"
    )
  frames, radius, sigma, turn = of_variant(_MOTION, variant)
  (weights,) = motion.kernels([(radius, sigma)])
  return Schedule(weights, taps(2 * math.ceil(radius) + 1, turn * steps(frames, frames - 1)))


def _motion_blur(im_round: str) -> Sequence:
  """The direction turns to the right; `im_round` from `IM_ROUNDS`."""

  def frame(pixels: jax.Array, weights: jax.Array, now: Taps) -> jax.Array:
    return motion.rounded(motion.shifted_sum(pixels, weights, now.down, now.right), im_round)

  return of_image(_motion_schedule, frame)


motion_blur = _motion_blur("nearest")._replace(floored=_motion_blur("floor"))


_GAUSSIAN = {  # First sigma, its growth, and at how many of it the kernel ends.
  "imagenet": (0.25, 0.035, 6),
  "tiny": (0.35, 0.014, 7),
  "cifar": (0.3, 0.015, 7),
  "inception": (0.35, 0.035, 6),
}


def _gaussian_schedule(variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
  first, growth, truncate = of_variant(_GAUSSIAN, variant)
  return Schedule((), gaussian.kernels(first + growth * np.arange(31), truncate))


def _gaussian_frame(pixels: jax.Array, constants: tuple[()], kernel: jax.Array) -> jax.Array:
  return gaussian.smooth(pixels, kernel)


gaussian_blur = of_image(_gaussian_schedule, _gaussian_frame)
