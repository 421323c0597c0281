"""A JPEG round trip in integers, bit for bit what libjpeg-turbo and Pillow do (4:2:0, baseline).

Entropy coding loses nothing and is left out. The transforms are libjpeg's accurate integer ones
(Loeffler, Ligtenberg & Moschytz, 1989), 13 fractional bits.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.sequential import in_turn

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
# The cosines of libjpeg's accurate transform times 2^13, rounded as its flow of sums and products
# has it: a row for each frequency. Its inverse is the transpose.
_COSINES = np.array(
  [
    [8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192],
    [11363, 9633, 6437, 2260, -2260, -6437, -9633, -11363],
    [10703, 4433, -4433, -10703, -10703, -4433, 4433, 10703],
    [9633, -2259, -11362, -6436, 6436, 11362, 2259, -9633],
    [8192, -8192, -8192, 8192, 8192, -8192, -8192, 8192],
    [6437, -11362, 2261, 9633, -9633, -2261, 11362, -6437],
    [4433, -10704, 10704, -4433, -4433, 10704, -10704, 4433],
    [2260, -6436, 9633, -11363, 11363, -9633, 6436, -2260],
  ],
  np.int32,
)
# Bits that the passes drop: of those 13 the first keeps 2. Each transform leaves a factor of 8,
# which the forward one leaves to the quantizer.
_FORWARD_SHIFTS, _INVERSE_SHIFTS = (13 - 2, 13 + 2), (13 - 2, 13 + 2 + 3)
_HALF, _OFFSET = 1 << 15, (128 << 16) + (1 << 15) - 1
# 16 fractional bits: y, cb, cr of r, g, b and 1; then r, g, b of cb and cr, each less 128.
_TO_YCC = np.array(
  [
    [19595, 38470, 7471, _HALF],
    [-11059, -21709, 32768, _OFFSET],
    [32768, -27439, -5329, _OFFSET],
  ],
  np.int32,
)
_TO_RGB = np.array([[0, 91881], [-22554, -46802], [116130, 0]], np.int32)


@in_turn  # A plane then stays in the cache of a core.
def round_trip(pixels: jax.Array, quality: jax.Array) -> jax.Array:
  """Compresses and decompresses one image.

  What is mapped or scanned here is so for a CPU's sake, whose compiler else computes each number
  anew for each that is made of it.

  Args:
    pixels: uint8 [H, W, 3], RGB, of any size.
    quality: int32 [], 1..100; may be traced.

  Returns:
    uint8 [H, W, 3].
  """
  height, width, _ = pixels.shape
  margins = ((0, -height % 16), (0, -width % 16), (0, 0))
  y, cb, cr = _to_ycc(jnp.pad(pixels.astype(jnp.int32), margins, mode="edge"))
  y = _quantized(y, _table(_LUMA, quality))[:height, :width]
  chroma = jnp.concatenate([_halved(cb), _halved(cr)])
  coded = _quantized(chroma, _table(_CHROMA, quality)).reshape(2, -1, chroma.shape[1])
  # The decoder replicates the edge of the picture, not of the padded blocks.
  coded = coded[:, : -(-height // 2), : -(-width // 2)]
  cb, cr = jax.vmap(_doubled)(coded)[:, :height, :width]
  return _to_rgb(y, cb, cr)


def _to_ycc(rgb: jax.Array) -> jax.Array:
  """int32 [H, W, 3] -> [3, H, W]."""
  r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
  return jax.lax.map(
    lambda row: (row[0] * r + row[1] * g + row[2] * b + row[3]) >> 16, jnp.asarray(_TO_YCC)
  )


def _to_rgb(y: jax.Array, cb: jax.Array, cr: jax.Array) -> jax.Array:
  """int32 [H, W] each -> uint8 [H, W, 3]."""
  cb, cr = cb - 128, cr - 128

  def channel(row: jax.Array) -> jax.Array:
    return jnp.clip(y + ((row[0] * cb + row[1] * cr + _HALF) >> 16), 0, 255).astype(jnp.uint8)

  return jnp.moveaxis(jax.lax.map(channel, jnp.asarray(_TO_RGB)), 0, -1)


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
  blocks = (plane.reshape(-1, 8).T - 128).reshape(8, height // 8, 8, width // 8)
  coefficients, _ = jax.lax.scan(_forward, blocks, jnp.array(_FORWARD_SHIFTS))
  table = table.T[:, None, :, None]
  step = 8 * table
  levels = jnp.sign(coefficients) * _quotient(jnp.abs(coefficients) + step // 2, step)
  restored, _ = jax.lax.scan(_inverse, levels * table, jnp.array(_INVERSE_SHIFTS))
  return jnp.clip(restored + 128, 0, 255).reshape(8, -1).T.reshape(height, width)


def _quotient(x: jax.Array, by: jax.Array) -> jax.Array:
  """x // by, of positive integers below 2^24; a CPU's vector units divide no integers."""
  near = (jnp.float32(x) * (1 / jnp.float32(by))).astype(jnp.int32)
  left = x - near * by
  return near + jnp.int32(left >= by) - jnp.int32(left < 0)


def _forward(x: jax.Array, shift: jax.Array) -> tuple[jax.Array, None]:
  """One pass of the forward transform, over the first axis, which becomes the third."""
  total = jnp.int32(0)
  for i in range(8):
    total += _COSINES[None, None, :, i, None] * x[i].swapaxes(0, 1)[:, :, None]
  return _descale(total, shift), None


def _inverse(x: jax.Array, shift: jax.Array) -> tuple[jax.Array, None]:
  """One pass of the inverse transform, over the third axis, which becomes the first."""
  total = jnp.int32(0)
  for i in range(8):
    total += _COSINES[i, :, None, None, None] * x[:, :, i].swapaxes(0, 1)[None]
  return _descale(total, shift), None


def _descale(x: jax.Array, bits: jax.Array) -> jax.Array:
  return (x + (1 << bits >> 1)) >> bits
