"""Noise drawn anew for each frame after a clean first one (Hendrycks & Dietterich, 2019; its code).

Three difficulties, the only sequences that differ in them.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions import noise, shot
from jaxbench.corruptions.base import Corruption
from jaxbench.corruptions.sequences.base import Schedule, Sequence, Shape, of_variant

_FRAMES = 31

_GAUSSIAN = {  # Standard deviation, images in [0, 1].
  "imagenet": (0.03, 0.05, 0.08),
  "tiny": (0.025, 0.05, 0.075),
  "cifar": (0.02, 0.04, 0.06),
  "inception": (0.035, 0.055, 0.085),
}
_SPECKLE = {  # Standard deviation, relative to the pixel.
  "imagenet": (0.05, 0.1, 0.15),
  "cifar": (0.05, 0.07, 0.1),
  "inception": (0.06, 0.11, 0.16),
}
_PHOTONS = {  # That white sends on average.
  "imagenet": (300, 120, 60),
  "tiny": (500, 250, 125),
  "cifar": (700, 400, 200),
  "inception": (250, 100, 50),
}


def _sequence(corruption: Corruption, levels: dict[str, tuple[Any, ...]]) -> Sequence:
  def schedule(variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
    level = of_variant(levels, variant)[difficulty - 1]
    if corruption is shot.shot_noise:
      return Schedule(shot.alias_table(level, 256), np.arange(_FRAMES))
    return Schedule(np.float32(level), np.arange(_FRAMES))

  def start(key: jax.Array, pixels: jax.Array, level: Any) -> tuple[jax.Array, jax.Array]:
    return key, pixels

  def frame(
    state: tuple[jax.Array, jax.Array], level: Any, index: jax.Array
  ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    key, pixels = state
    draws = corruption.draw(jax.random.fold_in(key, index), pixels.shape, level)
    return state, jnp.where(index == 0, pixels, corruption.apply(pixels, draws, level))

  return Sequence(schedule, start, frame, is_noise=True)


gaussian_noise = _sequence(noise.gaussian_noise, _GAUSSIAN)
shot_noise = _sequence(shot.shot_noise, _PHOTONS)
speckle_noise = _sequence(noise.speckle_noise, _SPECKLE)
