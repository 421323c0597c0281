"""A JPEG round trip in integers, bit for bit what libjpeg-turbo and Pillow do (4:2:0, baseline).

Entropy coding loses nothing and is left out. The transforms are libjpeg's accurate integer ones
(Loeffler, Ligtenberg & Moschytz, 1989), 13 fractional bits.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Annex K of the standard, luminance and chrominance.
_LUMA = np.array(
  [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
  ],
  np.int32,
)
_CHROMA = np.full((8, 8), 99, np.int32)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_BITS = 13  # Of the constants below: round(x * 2^13).
_EXTRA_BITS = 2  # Kept between the two passes.


def round_trip(pixels: jax.Array, quality: jax.Array) -> jax.Array:
  """Compresses and decompresses one image.

  Args:
    pixels: int32 [H, W, 3], RGB in 0..255, of any size.
    quality: int32 [], 1..100; may be traced.

  Returns:
    int32 [H, W, 3] in 0..255.
  """
  height, width, _ = pixels.shape
  margins = ((0, -height % 16), (0, -width % 16), (0, 0))
  y, cb, cr = _to_ycc(jnp.pad(pixels, margins, mode="edge"))
  y = _quantized(y, _table(_LUMA, quality))[:height, :width]
  chroma = jnp.stack([_halved(cb), _halved(cr)])
  coded = jax.vmap(_quantized, in_axes=(0, None))(chroma, _table(_CHROMA, quality))
  # The decoder replicates the edge of the picture, not of the padded blocks.
  coded = coded[:, : -(-height // 2), : -(-width // 2)]
  cb, cr = jax.vmap(_doubled)(coded)[:, :height, :width]
  return _to_rgb(y, cb, cr)


def _to_ycc(rgb: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
  r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
  offset = (128 << 16) + 32767
  return (
    (19595 * r + 38470 * g + 7471 * b + 32768) >> 16,
    (-11059 * r - 21709 * g + 32768 * b + offset) >> 16,
    (32768 * r - 27439 * g - 5329 * b + offset) >> 16,
  )


def _to_rgb(y: jax.Array, cb: jax.Array, cr: jax.Array) -> jax.Array:
  cb, cr = cb - 128, cr - 128
  r = y + ((91881 * cr + 32768) >> 16)
  g = y + ((-22554 * cb - 46802 * cr + 32768) >> 16)
  b = y + ((116130 * cb + 32768) >> 16)
  return jnp.clip(jnp.stack([r, g, b], axis=-1), 0, 255)


def _table(standard: np.ndarray, quality: jax.Array) -> jax.Array:
  scale = jnp.where(quality < 50, 5000 // quality, 200 - 2 * quality)
  return jnp.clip((standard * scale + 50) // 100, 1, 255)


def _halved(plane: jax.Array) -> jax.Array:
  """[H, W] -> [H / 2, W / 2], rounding down and up in turn."""
  height, width = plane.shape
  sums = plane.reshape(height // 2, 2, width // 2, 2).sum(axis=(1, 3))
  return (sums + 1 + jnp.arange(width // 2)[None] % 2) >> 2


def _doubled(plane: jax.Array) -> jax.Array:
  """[h, w] -> [2h, 2w] by libjpeg's triangle filter, edges replicated."""
  rows = jnp.pad(plane, ((1, 1), (0, 0)), mode="edge")
  near = 3 * plane
  tall = jnp.stack([near + rows[:-2], near + rows[2:]], axis=1).reshape(-1, plane.shape[1])
  columns = jnp.pad(tall, ((0, 0), (1, 1)), mode="edge")
  near = 3 * tall
  left, right = (near + columns[:, :-2] + 8) >> 4, (near + columns[:, 2:] + 7) >> 4
  return jnp.stack([left, right], axis=-1).reshape(tall.shape[0], -1)


def _quantized(plane: jax.Array, table: jax.Array) -> jax.Array:
  """What is left of a plane [H, W] after its 8x8 blocks were rounded to multiples of `table`."""
  height, width = plane.shape
  # [8, H / 8, 8, W / 8], columns and rows of blocks: no pass then strides through memory.
  blocks = plane.reshape(height // 8, 8, width // 8, 8).transpose(3, 0, 1, 2) - 128
  last = _BITS + _EXTRA_BITS
  coefficients = _forward(blocks, 0, 0, _EXTRA_BITS, _BITS - _EXTRA_BITS)
  coefficients = _forward(coefficients, 2, _EXTRA_BITS, 0, last)
  table = table.T[:, None, :, None]
  step = 8 * table  # The transform leaves a factor of 8.
  levels = jnp.sign(coefficients) * _quotient(jnp.abs(coefficients) + step // 2, step)
  restored = _inverse(levels * table, 2, _BITS - _EXTRA_BITS)
  restored = _inverse(restored, 0, last + 3)
  return jnp.clip(restored + 128, 0, 255).transpose(1, 2, 3, 0).reshape(height, width)


def _quotient(x: jax.Array, by: jax.Array) -> jax.Array:
  """x // by, of positive integers below 2^24; a CPU's vector units divide no integers."""
  near = (jnp.float32(x) * (1 / jnp.float32(by))).astype(jnp.int32)
  left = x - near * by
  return near + jnp.int32(left >= by) - jnp.int32(left < 0)


def _forward(x: jax.Array, axis: int, down: int, up: int, shift: int) -> jax.Array:
  """One pass of the forward transform over an axis of 8."""
  d0, d1, d2, d3, d4, d5, d6, d7 = _along(x, axis)
  t0, t1, t2, t3 = d0 + d7, d1 + d6, d2 + d5, d3 + d4
  t10, t13, t11, t12 = t0 + t3, t0 - t3, t1 + t2, t1 - t2
  z = (t12 + t13) * 4433
  o7, o5, o3, o1 = _odd(d3 - d4, d2 - d5, d1 - d6, d0 - d7)
  even = (_descale((t10 + t11) << up, down), _descale((t10 - t11) << up, down))
  e2, e6 = _descale(z + t13 * 6270, shift), _descale(z - t12 * 15137, shift)
  o1, o3, o5, o7 = (_descale(o, shift) for o in (o1, o3, o5, o7))
  return jnp.stack([even[0], o1, e2, o3, even[1], o5, e6, o7], axis=axis)


def _inverse(x: jax.Array, axis: int, shift: int) -> jax.Array:
  """One pass of the inverse transform over an axis of 8."""
  d0, d1, d2, d3, d4, d5, d6, d7 = _along(x, axis)
  z = (d2 + d6) * 4433
  t2, t3 = z - d6 * 15137, z + d2 * 6270
  t0, t1 = (d0 + d4) << _BITS, (d0 - d4) << _BITS
  t10, t13, t11, t12 = t0 + t3, t0 - t3, t1 + t2, t1 - t2
  o0, o1, o2, o3 = _odd(d7, d5, d3, d1)
  sums = (t10 + o3, t11 + o2, t12 + o1, t13 + o0)
  differences = (t13 - o0, t12 - o1, t11 - o2, t10 - o3)
  return _descale(jnp.stack([*sums, *differences], axis=axis), shift)


def _odd(a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array) -> tuple[jax.Array, ...]:
  """The rotations that both directions share."""
  z5 = (a + c + b + d) * 9633
  z1, z2 = -(a + d) * 7373, -(b + c) * 20995
  z3, z4 = z5 - (a + c) * 16069, z5 - (b + d) * 3196
  return a * 2446 + z1 + z3, b * 16819 + z2 + z4, c * 25172 + z2 + z3, d * 12299 + z1 + z4


def _along(x: jax.Array, axis: int) -> list[Any]:
  return [jax.lax.index_in_dim(x, i, axis, keepdims=False) for i in range(8)]


def _descale(x: jax.Array, bits: int) -> jax.Array:
  return (x + (1 << bits >> 1)) >> bits
