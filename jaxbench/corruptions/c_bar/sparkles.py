"""Sparkles: white stars whose rays have lengths of their own; or all white but for one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbench.corruptions.base import Corruption, constants
from jaxbench.corruptions.c_bar.points import points, side

_STARS = 5
_RAYS = (50, 199)  # Of a star, the fewest and the most.
_UNEVEN = 0.25  # Deviation of a ray's length, in shares of it.


class Star(NamedTuple):
  """All that is random in a star, or in several."""

  center: jax.Array  # [..., 2] float32, row and column.
  rays: jax.Array  # [...] int32, how many.
  lengths: jax.Array  # [..., R] float32, of as many as there may be: standard normal.


def _draw(key: jax.Array, shape: tuple[int, ...], stars: tuple[int, ...], margin: float) -> Star:
  center, rays, lengths = jax.random.split(key, 3)
  places = jax.random.uniform(center, (*stars, 2), minval=margin, maxval=1 - margin)
  return Star(
    jnp.stack([places[..., axis] * shape[axis] for axis in (0, 1)], axis=-1),
    jax.random.randint(rays, stars, _RAYS[0], _RAYS[1] + 1),
    jax.random.normal(lengths, (*stars, _RAYS[1])),
  )


def _shine(
  shape: tuple[int, ...], star: Star, radius: jax.Array, shortest: float, power: jax.Array
) -> jax.Array:
  """float32 [H, W] in [0, 1]: how bright it is, the faster darker beyond a ray the more power."""
  rows, columns = points(shape)
  below, right = rows - star.center[0], columns - star.center[1]
  turned = (jnp.arctan2(right, below) + jnp.pi) / (2 * jnp.pi) * star.rays.astype(jnp.float32)
  between, whole = jnp.modf(turned)
  ray = whole.astype(jnp.int32)
  lengths = jnp.maximum(radius * (1 + _UNEVEN * star.lengths), shortest)
  one, next_one = lengths[ray % star.rays], lengths[(ray + 1) % star.rays]
  reach = one + between * (next_one - one)
  glow = (reach**2 / (below**2 + right**2 + 1e-4)) ** power
  return jnp.clip((1 - (between - 0.5) ** 2) * glow, 0, 1)


def _draw_stars(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Star:
  return _draw(key, shape, (_STARS,), 0.0)


def _sparkles(pixels: jax.Array, stars: Star, severity: jax.Array) -> jax.Array:
  radius = 0.01 * severity * side(pixels.shape)
  for index in range(_STARS):
    star = Star(*(leaf[index] for leaf in stars))
    shine = _shine(pixels.shape, star, radius, 1.0, jnp.float32(1))[..., None]
    pixels = pixels + shine * (255 - pixels)
  return pixels


def _draw_star(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Star:
  return _draw(key, shape, (), 0.25)


def _inverse(pixels: jax.Array, star: Star, severity: jax.Array) -> jax.Array:
  radius = jnp.float32(0.25 * side(pixels.shape))
  shine = _shine(pixels.shape, star, radius, -jnp.inf, 0.13 * severity)[..., None]
  return 255 + shine * (pixels - 255)


sparkles = Corruption(
  draw=_draw_stars,
  apply=_sparkles,
  levels=constants(imagenet=(1.0, 2.0, 3.0, 5.0, 6.0), cifar=(0.7, 3.5, 5.6, 6.3, 7.0)),
)
inverse_sparkles = Corruption(
  draw=_draw_star,
  apply=_inverse,
  levels=constants(imagenet=(1.0, 2.0, 4.0, 9.0, 10.0), cifar=(1.0, 1.5, 2.5, 4.5, 5.0)),
)
