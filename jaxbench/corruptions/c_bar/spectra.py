"""Noise of a spectrum: blue, where it leaves pixels black, and nearly brown."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.base import Corruption, constants


class Phases(NamedTuple):
  """All that is random, in [0, 2 pi)."""

  half: jax.Array  # [C, H, W // 2] float32, of half the plane; the other half mirrors it.
  middle: jax.Array  # [C, H // 2] float32, of the column between them, where W is odd.


def _draw(key: jax.Array, shape: tuple[int, ...], count: int) -> Phases:
  half, middle = jax.random.split(key)
  height, width = shape[:2]
  return Phases(
    2 * jnp.pi * jax.random.uniform(half, (count, height, width // 2)),
    2 * jnp.pi * jax.random.uniform(middle, (count, height // 2)),
  )


def _noise(shape: tuple[int, ...], phases: Phases, brown: bool) -> jax.Array:
  """float32 [C, H, W], of deviation 1."""
  height, width = shape[:2]
  mirrored = phases.half[:, ::-1, ::-1]
  if width % 2:
    ends = phases.middle, phases.middle[:, ::-1]
    center = [jnp.zeros_like(phases.middle[:, :1])] * (height % 2)
    column = jnp.concatenate([ends[0], *center, ends[1]], axis=1)
    whole = jnp.concatenate([phases.half, column[..., None], mirrored], axis=2)
  else:
    whole = jnp.concatenate([phases.half, mirrored], axis=2)
  rows, columns = np.arange(height) - height / 2, np.arange(width) - width / 2
  distance = np.hypot(rows[:, None], columns[None])
  power = (1 / (distance**2 + 1) if brown else distance).astype(np.float32)[None]
  spectrum = jax.lax.complex(power * jnp.cos(whole), power * jnp.sin(whole))
  noise = jnp.fft.ifft2(jnp.roll(spectrum, (height // 2, width // 2), axis=(1, 2))).real
  return noise / noise.std(axis=(1, 2), keepdims=True)


def _draw_one(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Phases:
  return _draw(key, shape, 1)


def _sample(pixels: jax.Array, phases: Phases, severity: jax.Array) -> jax.Array:
  (noise,) = _noise(pixels.shape, phases, brown=False)
  return jnp.where(noise[..., None] > 0.3 * severity - 2.5, pixels, 0.0)


def _draw_colours(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Phases:
  return _draw(key, shape, 3)


def _add(pixels: jax.Array, phases: Phases, severity: jax.Array) -> jax.Array:
  noise = _noise(pixels.shape, phases, brown=True)
  return pixels + 6.4 * severity * jnp.moveaxis(noise, 0, -1)


blue_noise_sample = Corruption(
  draw=_draw_one,
  apply=_sample,
  levels=constants(imagenet=(0.8, 1.6, 2.4, 4.0, 5.6), cifar=(0.7, 1.4, 2.1, 3.5, 4.2)),
)
brownish_noise = Corruption(
  draw=_draw_colours,
  apply=_add,
  levels=constants(imagenet=(1.0, 2.0, 3.0, 4.0, 5.0), cifar=(2.5, 4.0, 5.5, 6.5, 7.0)),
)
