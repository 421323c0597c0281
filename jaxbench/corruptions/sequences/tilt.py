"""Tilt: the image turns in space (Hendrycks & Dietterich, 2019; constants of its code)."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.sequences.base import Schedule, Shape, corner, of_image, steps

_BITS = 5  # Of OpenCV's positions.
_FRACTION = 2**_BITS - 1


def _homography(shape: Shape, degrees: float) -> np.ndarray:
  """float64 [3, 3]: turned about both axes through its centre, seen from a diagonal away.

  From positions (x, y, 1) in the image to those in the result, both counted from the centre.
  """
  distance, angle = np.hypot(*shape), np.deg2rad(degrees)
  sin, cos = np.sin(angle), np.cos(angle)
  about_x = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
  about_y = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
  # It lies a pixel behind the axes, and so looks smaller even when it is not turned.
  seen = about_x @ about_y + np.diag([0, 0, distance])
  return np.diag([distance, distance, 1]) @ seen


def _schedule(variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
  step = 0.75 if variant == "cifar" else 1
  inverses = np.stack([np.linalg.inv(_homography(image, step * n)) for n in steps(31, 15)])
  rows, columns = (
    first + np.arange(size, dtype=np.float32) - whole / 2
    for first, size, whole in zip(corner(image, frame), frame, image, strict=True)
  )
  return Schedule(
    (np.float32(rows), np.float32(columns)), np.float32(inverses / inverses[:, 2:, 2:])
  )


def _tilted(
  pixels: jax.Array, centred: tuple[jax.Array, jax.Array], inverse: jax.Array
) -> jax.Array:
  """cv2.warpPerspective in 8 bits: positions in 32nds of a pixel, black outside."""
  rows, columns = centred[0][:, None], centred[1][None]
  x, y, depth = (a * columns + (b * rows + c) for a, b, c in inverse)
  height, width, _ = pixels.shape
  padded = jnp.pad(pixels.astype(jnp.int32), ((1, 1), (1, 1), (0, 0)))
  # 32 times half a side is a whole number.
  x, y = (
    jnp.rint(part * (2**_BITS / depth)).astype(jnp.int32) + side * 2 ** (_BITS - 1)
    for part, side in ((x, width), (y, height))
  )

  def row(offset: int) -> jax.Array:
    """Interpolated along it, in 32nds."""
    i = jnp.clip((y >> _BITS) + offset, -1, height) + 1
    left, right = (padded[i, jnp.clip((x >> _BITS) + step, -1, width) + 1] for step in (0, 1))
    return (left << _BITS) + (x & _FRACTION)[..., None] * (right - left)

  top, bottom = row(0), row(1)
  total = (top << _BITS) + (y & _FRACTION)[..., None] * (bottom - top)
  return ((total + 2 ** (2 * _BITS - 1)) >> (2 * _BITS)).astype(pixels.dtype)


tilt = of_image(_schedule, _tilted, moves=True)
