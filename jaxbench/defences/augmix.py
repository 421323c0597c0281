"""AugMix (Hendrycks et al., 2020, arXiv:1912.02781) as prompt tuning mixes its views by it.

Three chains of one to three of nine operations, at severity 1, are mixed with each other and with
the view. The operations are Pillow's, on 8 bits, as the authors of TPT call them; derivatives are
those of the operation without its rounding, and pass equalizing and posterizing as they are.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.defences import base

CHAINS, LONGEST = 3, 3
OPERATIONS = (
  *("autocontrast", "equalize", "posterize", "rotate", "solarize"),
  *("shear_x", "shear_y", "translate_x", "translate_y"),
)
_WEAKEST, _SEVERITY = 0.1, 1.0  # Levels are uniform in between, out of 10.
_BITS = 4  # That posterizing leaves; at this severity its level is 0.


@struct.dataclass
class Draws:
  """Of one view; C chains of up to L operations."""

  weights: jax.Array  # [C] float32, of the chains; their sum is 1.
  kept: jax.Array  # [] float32 in [0, 1]: the view's own share.
  lengths: jax.Array  # [C] int32, 1 to L.
  operations: jax.Array  # [C, L] int32, of `OPERATIONS`.
  levels: jax.Array  # [C, L] float32.
  negative: jax.Array  # [C, L] bool: turned, sheared or moved the other way.


def draw(key: jax.Array) -> Draws:
  """As published: a Dirichlet of ones, a Beta of ones, which is uniform, and uniform choices."""
  weights, kept, lengths, operations, levels, negative = jax.random.split(key, 6)
  shape = CHAINS, LONGEST
  return Draws(
    jax.random.dirichlet(weights, jnp.ones(CHAINS)),
    jax.random.uniform(kept),
    jax.random.randint(lengths, (CHAINS,), 1, LONGEST + 1),
    jax.random.randint(operations, shape, 0, len(OPERATIONS)),
    jax.random.uniform(levels, shape, minval=_WEAKEST, maxval=_SEVERITY),
    jax.random.bernoulli(negative, shape=shape),
  )


def mixed(view: jax.Array, draws: Draws) -> jax.Array:
  """The view [H, W, 3] float32 in [0, 1] with its chains, likewise."""
  start = base.with_gradient_of(view, jnp.round(view * 255) / 255)

  def chained(chain: Draws) -> jax.Array:
    def apply(image: jax.Array, one: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
      number, *settings = one
      return jnp.where(number < chain.lengths, operated(image, *settings), image), None

    settings = jnp.arange(LONGEST), chain.operations, chain.levels, chain.negative
    return jax.lax.scan(apply, start, settings)[0]

  per_chain = dataclasses.replace(draws, kept=jnp.broadcast_to(draws.kept, (CHAINS,)))
  chains = jax.lax.map(chained, per_chain)
  return draws.kept * view + (1 - draws.kept) * jnp.tensordot(draws.weights, chains, 1)


def operated(
  image: jax.Array, operation: jax.Array, level: jax.Array, negative: jax.Array
) -> jax.Array:
  """One operation on an image [H, W, 3] of 8 bits in [0, 1], which stays such."""
  tones = (_autocontrast, _equalize, _posterize, _solarize)
  branches = (*tones, lambda image, level: _moved(image, operation, level, negative))
  # Of each of `OPERATIONS`.
  place = jnp.array([0, 1, 2, 4, 3, 4, 4, 4, 4])[operation]
  return jax.lax.switch(place, branches, image, level)


def _levels(image: jax.Array) -> jax.Array:
  """int32 in 0..255."""
  return jnp.round(image * 255).astype(jnp.int32)


def _shares(levels: jax.Array) -> jax.Array:
  """float32 in [0, 1]."""
  return levels.astype(jnp.float32) / 255


def _autocontrast(image: jax.Array, _: jax.Array) -> jax.Array:
  """Each channel stretched to all levels."""
  levels = _levels(image)
  low, high = (end(levels, (0, 1), keepdims=True) for end in (jnp.min, jnp.max))
  width = jnp.maximum(high - low, 1)
  stretched = _shares((levels - low) * 255 // width)
  smooth = (image - _shares(low)) / _shares(width)
  return jnp.where(high > low, base.with_gradient_of(smooth, stretched), image)


def _equalize(image: jax.Array, _: jax.Array) -> jax.Array:
  """Each channel with an even histogram."""

  def channel(levels: jax.Array) -> jax.Array:
    counts = jnp.zeros(256, jnp.int32).at[levels.ravel()].add(1)
    step = (levels.size - counts[levels.max()]) // 255
    before = jnp.cumsum(counts) - counts
    table = jnp.minimum((step // 2 + before) // jnp.maximum(step, 1), 255)
    return jnp.where(step > 0, table[levels], levels)

  equal = jax.vmap(channel, 2, 2)(_levels(image))
  return base.with_gradient_of(image, _shares(equal))


def _posterize(image: jax.Array, _: jax.Array) -> jax.Array:
  """With fewer bits."""
  lost = 2 ** (8 - _BITS)
  return base.with_gradient_of(image, _shares(_levels(image) // lost * lost))


def _solarize(image: jax.Array, level: jax.Array) -> jax.Array:
  """The brightest levels inverted."""
  threshold = 256 - jnp.floor(level * 256 / 10)
  return jnp.where(image * 255 < threshold - 0.5, image, 1 - image)


def _moved(
  image: jax.Array, operation: jax.Array, level: jax.Array, negative: jax.Array
) -> jax.Array:
  """Rotated, sheared or translated; bilinear, black where nothing was."""
  height, width, _ = image.shape
  sign = jnp.where(negative, -1.0, 1.0)
  angle = -jnp.deg2rad(sign * jnp.floor(level * 30 / 10))
  shear = sign * level * 0.3 / 10
  across, down = (sign * jnp.floor(level * side / 3 / 10) for side in (width, height))
  cos, sin, none = jnp.cos(angle), jnp.sin(angle), jnp.zeros_like(angle)
  one = none + 1
  turned = jnp.array([[cos, sin], [-sin, cos]])
  centre = jnp.array([width / 2, height / 2])
  identity = jnp.eye(2)
  linear = jnp.stack(
    [
      turned,
      jnp.array([[one, shear], [none, one]]),
      jnp.array([[one, none], [shear, one]]),
      identity,
      identity,
    ]
  )
  shift = jnp.stack(
    [
      centre - turned @ centre,
      jnp.zeros(2),
      jnp.zeros(2),
      jnp.array([across, none]),
      jnp.array([none, down]),
    ]
  )
  place = jnp.array([0, 0, 0, 0, 0, 1, 2, 3, 4])[operation]
  return _warped(image, linear[place], shift[place])


def _warped(image: jax.Array, linear: jax.Array, shift: jax.Array) -> jax.Array:
  """Of each pixel the value at `linear` [2, 2] times its place (x, y), plus `shift` [2]."""
  height, width, _ = image.shape
  sides = (jnp.arange(side, dtype=jnp.float32) + 0.5 for side in (height, width))
  rows, columns = jnp.meshgrid(*sides, indexing="ij")
  x, y = (line[0] * columns + line[1] * rows + add for line, add in zip(linear, shift, strict=True))
  outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
  x, y = x - 0.5, y - 0.5
  left, top = jnp.floor(x), jnp.floor(y)

  def at(row: jax.Array, column: jax.Array) -> jax.Array:
    row, column = jnp.clip(row, 0, height - 1), jnp.clip(column, 0, width - 1)
    return image[row.astype(jnp.int32), column.astype(jnp.int32)]

  share, below = (x - left)[..., None], (y - top)[..., None]
  upper, lower = (at(row, left) * (1 - share) + at(row, left + 1) * share for row in (top, top + 1))
  smooth = jnp.where(outside[..., None], 0.0, upper * (1 - below) + lower * below)
  # Pillow cuts; of whole numbers no rounding may lose one.
  return base.with_gradient_of(smooth, jnp.floor(smooth * 255 + 1e-3) / 255)
