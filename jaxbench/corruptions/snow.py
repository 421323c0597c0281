"""Snow (Hendrycks & Dietterich, 2019, arXiv:1903.12261; its code's constants)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from jaxbench.corruptions import motion
from jaxbench.corruptions.base import Corruption, Leaf, constants
from jaxbench.corruptions.separable import separable


class Level(NamedTuple):
  """What the severity sets."""

  mean: Leaf  # [] float32, of the noise that the flakes are made of,
  deviation: Leaf  # [] float32, likewise.
  threshold: Leaf  # [] float32, above which there is a flake.
  mix: Leaf  # [2] float32, shares of the image and of its whitened version; they sum to 1.
  rows: Leaf  # [H', H] float32, zooms the noise, as `columns` do; a little
  columns: Leaf  # [W', W] float32; more than the image in imagecorruptions.
  weights: Leaf  # [K] float32, along a flake's way.
  in_8_bits: Leaf  # [] bool, whether flakes pass through ImageMagick.


class Draws(NamedTuple):
  """All that is random."""

  noise: jax.Array  # [H, W] float32, standard normal.
  degrees: jax.Array  # [] float32, where the flakes fall.


_FEW = (  # Mean, deviation, zoom, threshold, radius and sigma of the motion, mix.
  (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
  (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
  (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
  (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
  (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
)
_constants = constants(
  imagenet=(
    (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
    (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
    (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
    (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
  ),
  cifar=_FEW,
  tiny=tuple((*row[:-1], mix) for row, mix in zip(_FEW, (0.8, 0.8, 0.7, 0.65, 0.6), strict=True)),
)


def _levels(variant: str, height: int, width: int) -> Level:
  mean, deviation, factors, threshold, radii, sigmas, mix = _constants(variant, height, width).T
  magick = variant != "imagecorruptions"
  rows, columns = (zooms(size, factors.tolist(), magick) for size in (height, width))
  shares = mix.astype(np.float64).round(6)  # In float32, 1 - 0.6 is not 0.4.
  shares = np.float32(np.stack([shares, 1 - shares], axis=1))
  weights = motion.kernels(list(zip(radii.tolist(), sigmas.tolist(), strict=True)))
  return Level(mean, deviation, threshold, shares, rows, columns, weights, np.full(5, magick))


def zooms(size: int, factors: list[float], trimmed: bool) -> np.ndarray:
  """float32 [S, size or a little more, size]: the reference's clipped_zoom of one line.

  What rounding makes too long is trimmed at both ends; imagecorruptions keeps it, blurs, and cuts
  the far end off: there the last row is repeated until all severities are as long.
  """
  lines = []
  for factor in factors:
    crop = math.ceil(size / factor)
    top = (size - crop) // 2
    zoom = np.zeros((round(crop * factor), size))
    zoom[:, top : top + crop] = scipy.ndimage.zoom(np.eye(crop), (factor, 1), order=1)
    first = (len(zoom) - size) // 2
    lines.append(zoom[first : first + size] if trimmed else zoom)
  longest = max(map(len, lines))
  padded = [np.pad(zoom, ((0, longest - len(zoom)), (0, 0)), mode="edge") for zoom in lines]
  return np.asarray(padded, np.float32)


def _draw(key: jax.Array, shape: tuple[int, ...], level: Level) -> Draws:
  first, second = jax.random.split(key)
  degrees = jax.random.uniform(second, (), minval=-135.0, maxval=-45.0)
  return Draws(jax.random.normal(first, shape[:2]), degrees)


def _flakes(draws: Draws, level: Level, im_round: str) -> jax.Array:
  """float32 [H', W', 1], whole numbers in 0..255: one layer of flakes."""
  zoomed = separable(draws.noise[..., None], level.rows, level.columns)
  layer = level.mean + level.deviation * zoomed
  layer = 255 * jnp.clip(jnp.where(layer < level.threshold, 0, layer), 0, 1)
  layer = jnp.where(level.in_8_bits, jnp.floor(layer), layer)
  fallen = motion.smear(layer, level.weights, draws.degrees)
  return jnp.where(level.in_8_bits, motion.rounded(fallen, im_round), jnp.rint(fallen))


def whitened(pixels: jax.Array, flakes: jax.Array, mix: jax.Array) -> jax.Array:
  """An image [H, W, 3] under flakes [H, W, 1] and the same upside down, all float32 in 0..255.

  `mix`: float32 [2], shares of the image and of its whitened version.
  """
  unit, flakes = pixels / 255, flakes / 255
  # A sum over the last axis takes XLA on a CPU ten times as long.
  grey = 0.299 * unit[..., :1] + 0.587 * unit[..., 1:2] + 0.114 * unit[..., 2:]
  white = mix[0] * unit + mix[1] * jnp.maximum(unit, 1.5 * grey + 0.5)
  return (white + flakes + flakes[::-1, ::-1]) * 255


def _snow(im_round: str) -> Corruption:
  """Whitened by falling flakes, and by the same upside down; `im_round` from `IM_ROUNDS`."""

  def apply(pixels: jax.Array, draws: Draws, level: Level) -> jax.Array:
    height, width, _ = pixels.shape
    return whitened(pixels, _flakes(draws, level, im_round)[:height, :width], level.mix)

  return Corruption(_draw, apply, _levels)


snow = _snow("nearest")._replace(floored=_snow("floor"))
