"""Snow turns, brightness grows, drops run (Hendrycks & Dietterich, 2019; their code)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions import color, gaussian, motion
from jaxbench.corruptions.base import Leaf
from jaxbench.corruptions.separable import separable
from jaxbench.corruptions.sequences.base import (
  Schedule,
  Sequence,
  Shape,
  of_image,
  of_variant,
  steps,
)
from jaxbench.corruptions.sequences.blur import Taps, taps
from jaxbench.corruptions.snow import whitened, zooms
from jaxbench.corruptions.spatter import with_water

_FRAMES = 31


class Snow(NamedTuple):
  """Constants of snow."""

  mean: Leaf  # [] float32, of the noise that the flakes are made of,
  deviation: Leaf  # [] float32, likewise.
  rows: Leaf  # [H, H] float32, zooms the noise, as
  columns: Leaf  # [W, W] float32 do.
  weights: Leaf  # [K] float32, along a flake's way.
  mix: Leaf  # [2] float32, shares of the image and of its whitened version.


_SNOW = {  # Deviation and zoom of the noise, radius and sigma of the motion.
  "imagenet": (0.3, 3, 14, 4),
  "tiny": (0.28, 2, 10, 2.5),
  "cifar": (0.3, 2, 10, 2),
}


def _snow_schedule(variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
  deviation, zoom, radius, sigma = of_variant(_SNOW, variant)
  rows, columns = (zooms(size, [zoom], True)[0] for size in frame)
  (weights,) = motion.kernels([(radius, sigma)])
  shares = np.asarray((0.85, 1 - 0.85), np.float32)
  constants = Snow(np.float32(0.05), np.float32(deviation), rows, columns, weights, shares)
  return Schedule(constants, taps(2 * math.ceil(radius) + 1, 4 * np.arange(_FRAMES) - 150.0))


def _snow(im_round: str) -> Sequence:
  """One layer of flakes, whose fall turns from left to right; `im_round` from `IM_ROUNDS`."""

  def start(key: jax.Array, pixels: jax.Array, level: Snow) -> tuple[jax.Array, jax.Array]:
    noise = jax.random.normal(key, pixels.shape[:2])
    return pixels, layer(noise, level)

  def frame(
    state: tuple[jax.Array, jax.Array], level: Snow, now: Taps
  ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    pixels, resting = state
    fallen = motion.shifted_sum(resting, level.weights, now.down, now.right)
    return state, whitened(pixels, motion.rounded(fallen, im_round), level.mix)

  return Sequence(_snow_schedule, start, frame)


snow = _snow("nearest")._replace(floored=_snow("floor"))


def layer(noise: jax.Array, level: Snow) -> jax.Array:
  """Flakes from standard normal noise float32 [H, W]: whole numbers 0..255, float32 [H, W, 1]."""
  zoomed = separable(noise[..., None], level.rows, level.columns)
  height = level.mean + level.deviation * zoomed
  return jnp.floor(255 * jnp.clip(jnp.where(height < 0.5, 0, height), 0, 1))


def _brightness_schedule(variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
  step = 0.015 if variant == "cifar" else 0.02
  return Schedule((), color.brightenings(np.asarray(step * steps(_FRAMES, 15), np.float32)))


def _brightness_frame(
  pixels: jax.Array, constants: tuple[()], now: tuple[jax.Array, jax.Array]
) -> jax.Array:
  return color.brightness.apply(pixels, (), now)


brightness = of_image(_brightness_schedule, _brightness_frame)


class Spatter(NamedTuple):
  """Constants of spatter."""

  mean: Leaf  # [] float32, of the noise that the drops are made of,
  deviation: Leaf  # [] float32, likewise.
  smooth: Leaf  # [R] float32, half a kernel, for the noise.
  threshold: Leaf  # [] float32, above which there is liquid.
  flow: Leaf  # [K] float32, where a pixel's liquid comes from: last, from farthest above.


_FAST, _SLOW = (0.05, 0.1, 0.15, 0.7), (0.2, 0.8)
_SPATTER = {  # Mean and deviation of the noise, its blur, threshold, flow.
  "imagenet": (0.65, 0.27, 3.7, 0.69, _FAST),
  "tiny": (0.6, 0.25, 1.75, 0.7, _SLOW),
  "cifar": (0.6, 0.265, 1.75, 0.7, _SLOW),
  "inception": (0.65, 0.3, 4, 0.69, _FAST),
}


def _spatter_schedule(variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
  mean, deviation, sigma, threshold, flow = of_variant(_SPATTER, variant)
  (kernel,) = gaussian.kernels([sigma])
  numbers = (np.float32(mean), np.float32(deviation), kernel, np.float32(threshold))
  return Schedule(Spatter(*numbers, np.float32(flow)), np.arange(_FRAMES))


def _spatter_start(
  key: jax.Array, pixels: jax.Array, level: Spatter
) -> tuple[jax.Array, jax.Array]:
  noise = jax.random.normal(key, pixels.shape[:2])
  liquid = gaussian.smooth(noise[..., None], level.smooth)[..., 0]
  liquid = level.mean + level.deviation * liquid
  return pixels, jnp.where(liquid < level.threshold, 0, liquid)


def _spatter_frame(
  state: tuple[jax.Array, jax.Array], level: Spatter, index: jax.Array
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
  pixels, liquid = state
  return (pixels, run(liquid, level.flow)), with_water(pixels, liquid, jnp.float32(0.6))


def run(liquid: jax.Array, flow: jax.Array) -> jax.Array:
  """np.convolve(mode="same") of the columns of float32 [H, W] with the kernel `flow` [K]."""
  above = flow.shape[0] // 2
  below = flow.shape[0] - 1 - above
  padded = jnp.pad(liquid, ((above, below), (0, 0)))
  parts = [share * padded[i : i + len(liquid)] for i, share in enumerate(flow[::-1])]
  return sum(parts[1:], parts[0])


spatter = Sequence(_spatter_schedule, _spatter_start, _spatter_frame)
