"""The image moves: translate, rotate, scale, shear, and zoom blur (Hendrycks & Dietterich, 2019).

As torchvision turned to Pillow in 2018, when the published sets were made: about a centre half a
pixel to the lower right of today's.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench.corruptions.base import floor, with_gradient_of
from jaxbench.corruptions.sequences.base import (
  Schedule,
  Sequence,
  Shape,
  corner,
  of_image,
  of_variant,
  steps,
)


class Line(NamedTuple):
  """Positions in two parts, so that float32 holds what Pillow has in float64."""

  whole: Any  # [T, N] int32.
  rest: Any  # [T, N] float32 in [0, 1].


class Grid(NamedTuple):
  """Where a frame's pixels come from: sums of what the column and what the row contribute."""

  y_of_row: Line
  y_of_column: Line
  x_of_row: Line
  x_of_column: Line


def _split(positions: np.ndarray) -> Line:
  whole = np.floor(positions)
  return Line(whole.astype(np.int32), np.float32(positions - whole))


def _inverse(
  shape: Shape, degrees: float = 0, shift: float = 0, scale: float = 1, shear: float = 0
) -> np.ndarray:
  """float64 [2, 3]: from a result's position (x, y, 1) to the image's."""
  centre = np.array([shape[1], shape[0]]) / 2 + 0.5
  first, second = np.deg2rad(degrees), np.deg2rad(degrees + shear)
  forward = np.array([[np.cos(first), -np.sin(second)], [np.sin(first), np.cos(second)]])
  turned = np.linalg.inv(scale * forward)
  return np.column_stack([turned, centre - turned @ (centre + np.array([shift, 0]))])


def _grid(image: Shape, frame: Shape, matrices: np.ndarray) -> Grid:
  """Of inverse transforms [T, 2, 3] of the image; the frame is its centre."""
  rows, columns = (
    first + 0.5 + np.arange(size) for first, size in zip(corner(image, frame), frame, strict=True)
  )
  (a, b, c), (d, e, f) = matrices.transpose(1, 2, 0)[..., None]
  return Grid(
    y_of_row=_split(e * rows + f - 0.5),
    y_of_column=_split(d * columns),
    x_of_row=_split(b * rows),
    x_of_column=_split(a * columns + c - 0.5),
  )


def warp(pixels: jax.Array, grid: Grid) -> jax.Array:
  """Pillow's bilinear transform in 8 bits: black outside, fractions dropped.

  Args:
    pixels: float32 [H, W, 3] in 0..255.
    grid: of one frame.

  Returns:
    float32 [h, w, 3], whole numbers.
  """
  height, width, _ = pixels.shape
  y, down = _summed(grid.y_of_row, grid.y_of_column)
  x, right = _summed(grid.x_of_row, grid.x_of_column)
  inside = _inside(y, down, height) & _inside(x, right, width)

  def pixel(row: jax.Array, column: jax.Array) -> jax.Array:
    return pixels[jnp.clip(row, 0, height - 1), jnp.clip(column, 0, width - 1)]

  down, right = down[..., None], right[..., None]
  top = pixel(y, x) + right * (pixel(y, x + 1) - pixel(y, x))
  bottom = pixel(y + 1, x) + right * (pixel(y + 1, x + 1) - pixel(y + 1, x))
  return jnp.where(inside[..., None], floor(top + down * (bottom - top)), 0)


def _summed(of_row: Line, of_column: Line) -> tuple[jax.Array, jax.Array]:
  """The pixel before each position, int32 [h, w], and how far beyond it, float32 [h, w]."""
  rest = of_row.rest[:, None] + of_column.rest[None]
  carried = jnp.floor(rest)
  whole = of_row.whole[:, None] + of_column.whole[None]
  return whole + carried.astype(jnp.int32), rest - carried


def _inside(whole: jax.Array, rest: jax.Array, size: int) -> jax.Array:
  """Whether a position is at most half a pixel away from pixels 0 to size - 1."""
  position = whole.astype(jnp.float32) + rest
  return (position >= -0.5) & (position < size - 0.5)


_AT_REST = {"imagenet": 20, "tiny": 15, "cifar": 7}  # The frame of translate that is the image.
_SCALES = {"imagenet": (40, 2.5), "cifar": (70, 2)}  # First, and growth, in percent.


def _movements(kind: str, variant: str) -> list[dict[str, float]]:
  """Arguments of `_inverse`, one for each frame."""
  if kind == "translate":
    still = of_variant(_AT_REST, variant)
    return [{"shift": step} for step in steps(16 if variant == "cifar" else 2 * still + 1, still)]
  if kind == "scale":
    first, growth = of_variant(_SCALES, variant)
    return [{"scale": (first + growth * step) / 100} for step in steps(31, 0)]
  if kind == "zoom":
    return [{"scale": 1 + 0.004 * step} for step in steps(31, 0)]
  return [{kind: step} for step in steps(31, 15)]


def _schedule(kind: str, variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
  matrices = [_inverse(image, **movement) for movement in _movements(kind, variant)]
  return Schedule((), _grid(image, frame, np.stack(matrices)))


def _moving(kind: str) -> Sequence:
  schedule = functools.partial(_schedule, kind)
  return of_image(schedule, lambda pixels, constants, grid: warp(pixels, grid), moves=True)


translate, rotate = _moving("translate"), _moving("degrees")
scale, shear = _moving("scale"), _moving("shear")


def _zoom_start(
  key: jax.Array, pixels: jax.Array, black: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  return pixels, black, black


def _zoom_frame(
  state: tuple[jax.Array, jax.Array, jax.Array], black: jax.Array, grid: Grid
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
  """The mean of all zooms so far, the first of which is the image.

  The count has a value for each pixel, and bytes are looked up: a division by one number would
  become a product with its inverse, which rounds otherwise, and flat areas are full of ties.
  """
  pixels, total, count = state
  zoomed = warp(pixels, grid)
  unit = jnp.asarray(np.arange(256, dtype=np.float32) / np.float32(255))[zoomed.astype(jnp.int32)]
  total, count = total + with_gradient_of(zoomed / 255, unit), count + 1
  return (pixels, total, count), total / count * 255


def _zoom_schedule(variant: str, difficulty: int, image: Shape, frame: Shape) -> Schedule:
  grids = _schedule("zoom", variant, difficulty, image, frame).frames
  return Schedule(np.zeros((*frame, 3), np.float32), grids)


zoom_blur = Sequence(_zoom_schedule, _zoom_start, _zoom_frame, moves=True)
