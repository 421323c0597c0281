"""Waves over an image: of one frequency, around a point, and folded into one another."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbench.corruptions.base import Corruption, constants
from jaxbench.corruptions.c_bar.points import points, side

_TURN = 2 * jnp.pi
_FOLDS = (4, 6)  # Of a plasma, the fewest and the most.


class Wave(NamedTuple):
  """All that is random in a wave of one frequency."""

  frequencies: jax.Array  # [2] float32, along rows and along columns.
  phase: jax.Array  # [] float32.


def _draw_wave(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Wave:
  higher, lower, order, phase = jax.random.split(key, 4)
  first = jax.random.uniform(higher, minval=-jnp.pi, maxval=jnp.pi)
  second = jax.random.uniform(lower, minval=-1.0) * first
  both = jax.random.permutation(order, jnp.stack([first, second]))
  return Wave(both, jax.random.uniform(phase, maxval=_TURN))


def _wave(pixels: jax.Array, draws: Wave, severity: jax.Array) -> jax.Array:
  rows, columns = points(pixels.shape)
  along, down = draws.frequencies
  wave = jnp.sin(columns * along + rows * down + draws.phase)
  return pixels + 19.6 * severity * wave[..., None]


class Rings(NamedTuple):
  """All that is random in rings around a point."""

  center: jax.Array  # [2] float32, column and row.
  frequency: jax.Array  # [] float32, dents of a ring,
  amplitude: jax.Array  # and how deep they are, in pixels.
  width: jax.Array  # [] float32, of a ring, in pixels.


def _draw_rings(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Rings:
  center, frequency, amplitude, width = jax.random.split(key, 4)
  wide = side(shape) / 10
  return Rings(
    jax.random.uniform(center, (2,)) * jnp.array([shape[1], shape[0]], jnp.float32),
    jax.random.uniform(frequency, maxval=10.0),
    jax.random.uniform(amplitude, maxval=wide),
    jax.random.uniform(width, maxval=wide),
  )


def _rings(pixels: jax.Array, draws: Rings, severity: jax.Array) -> jax.Array:
  rows, columns = points(pixels.shape)
  right, below = columns - draws.center[0], rows - draws.center[1]
  dents = jnp.sin(jnp.arctan2(right, below) * draws.frequency) * draws.amplitude
  distance = jnp.sqrt(right**2 + below**2) + dents
  ring = distance % draws.width / draws.width - 0.5
  return pixels + 12.8 * severity * ring[..., None]


class Plasma(NamedTuple):
  """All that is random in a plasma."""

  time: jax.Array  # [] float32.
  folds: jax.Array  # [] int32.
  sharpness: jax.Array  # [] float32.
  scale: jax.Array  # [] float32, in pixels.


def _draw_plasma(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Plasma:
  time, folds, sharpness, scale = jax.random.split(key, 4)
  return Plasma(
    jax.random.uniform(time, maxval=3 * _TURN),
    jax.random.randint(folds, (), _FOLDS[0], _FOLDS[1] + 1),
    jax.random.uniform(sharpness, minval=0.5),
    jax.random.uniform(scale, minval=0.075, maxval=0.2) * side(shape),
  )


def _plasma(pixels: jax.Array, draws: Plasma, severity: jax.Array) -> jax.Array:
  rows, columns = points(pixels.shape)
  x, y = (axis / draws.scale + jnp.zeros(pixels.shape[:2]) for axis in (columns, rows))
  for fold in range(_FOLDS[1]):
    shift = draws.time / 1.15**fold
    frequency, damping = 1.93**fold, (2.25 - draws.sharpness) ** fold
    across = jnp.cos(frequency * y + shift) / damping
    down = jnp.sin(frequency * x + shift) / damping
    wanted = fold < draws.folds
    x, y = (
      jnp.where(wanted, x + across - 0.3 * down, x),
      jnp.where(wanted, y + down + 0.3 * across, y),
    )
  red, blue = jnp.sin(x - draws.time), jnp.sin(y + draws.time)
  green = jnp.sin((x + y + jnp.sin(draws.time)) * 0.5)
  intensity = 6.4 * severity
  return (1 - intensity / 255) * pixels + intensity * jnp.stack([red, green, blue], axis=-1)


single_frequency_greyscale = Corruption(
  draw=_draw_wave, apply=_wave, levels=constants(imagenet=(1.0, 1.5, 2.0, 4.5, 5.0))
)
cocentric_sine_waves = Corruption(
  draw=_draw_rings, apply=_rings, levels=constants(imagenet=(3.0, 5.0, 8.0, 9.0, 10.0))
)
plasma_noise = Corruption(
  draw=_draw_plasma, apply=_plasma, levels=constants(imagenet=(4.75, 7.0, 8.5, 9.25, 10.0))
)
