"""Fog (Hendrycks & Dietterich, 2019, arXiv:1903.12261; its code's constants).

A cloud by the diamond-square algorithm (Fournier, Fussell & Carpenter, 1982) on a torus.
"""

import jax
import jax.numpy as jnp

from jaxbench.corruptions.base import Corruption, constants

_AMPLITUDE = 100.0  # Of the coarsest points; the reference uses its square.


def _draw(key: jax.Array, shape: tuple[int, ...], level: jax.Array) -> jax.Array:
  """float32 [size^2 - 1] in [-1, 1]: one number for every point of the cloud but the first."""
  return jax.random.uniform(key, (_size(shape) ** 2 - 1,), minval=-1, maxval=1)


def _size(shape: tuple[int, ...]) -> int:
  """The smallest power of two that holds the image: the reference's map for every variant."""
  return 1 << (max(shape[:2]) - 1).bit_length()


def _fog(pixels: jax.Array, draws: jax.Array, level: jax.Array) -> jax.Array:
  density, decay = level
  height, width, _ = pixels.shape
  cloud = _cloud(draws, decay, _size(pixels.shape))
  thick = density * 255 * cloud[:height, :width, None]
  brightest = jnp.max(pixels) / 255
  return (pixels + thick) * (brightest / (brightest + density))


def _cloud(draws: jax.Array, decay: jax.Array, size: int) -> jax.Array:
  """float32 [size, size] in [0, 1]; every step doubles a grid that wraps around."""
  grid, amplitude, used = jnp.zeros((1, 1)), jnp.float32(_AMPLITUDE), 0
  while len(grid) < size:
    n = len(grid)
    noise = draws[used : used + 3 * n * n].reshape(3, n, n) * (amplitude * amplitude)
    grid, amplitude, used = _doubled(grid, noise), amplitude / decay, used + 3 * n * n
  lowest = grid.min()
  return (grid - lowest) / (grid.max() - lowest)


def _doubled(grid: jax.Array, noise: jax.Array) -> jax.Array:
  """[n, n] -> [2n, 2n]: centres of squares, then of diamonds, each a mean of four plus noise."""
  down, right = jnp.roll(grid, -1, axis=0), jnp.roll(grid, -1, axis=1)
  centre = (grid + down + right + jnp.roll(down, -1, axis=1)) / 4 + noise[0]
  beside = (grid + right + centre + jnp.roll(centre, 1, axis=0)) / 4 + noise[1]
  below = (grid + down + centre + jnp.roll(centre, 1, axis=1)) / 4 + noise[2]
  rows = jnp.stack(
    [jnp.stack([grid, beside], axis=-1), jnp.stack([below, centre], axis=-1)], axis=1
  )
  return rows.reshape(2 * len(grid), 2 * len(grid))


fog = Corruption(
  draw=_draw,
  apply=_fog,
  levels=constants(  # Density, and what divides the amplitude at every step.
    imagenet=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    tiny=((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    cifar=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    inception=((1.5, 2), (2, 2), (2.5, 1.8), (2.5, 1.6), (3, 1.5)),
  ),
)
