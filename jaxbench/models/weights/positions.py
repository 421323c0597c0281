"""Position embeddings of one grid brought to another, as torch interpolates them."""

import math

import numpy as np


def resize(
  embedding: np.ndarray, positions: int, *, antialias: bool, offset: float = 0.0
) -> np.ndarray:
  """Bicubic interpolation over the grid; leading tokens that are not patches stay.

  Args:
    embedding: float [N, D], a square grid behind at most one class token.
    positions: how many rows are wanted, the class token included.
    antialias: as open_clip and timm do it; transformers does not.
    offset: how much wider than the grid that is wanted the old one is spread; DINOv2's own code
      has 0.1, against rounding, and leaves a grid of the right size alone.

  Returns:
    [positions, D] in the dtype of `embedding`.
  """
  side = math.isqrt(len(embedding))
  extra = len(embedding) - side * side
  wanted = math.isqrt(positions - extra)
  if offset and wanted == side:
    return embedding
  table = embedding.astype(np.float32)
  grid = table[extra:].reshape(side, side, -1)
  weights = _bicubic(side, wanted, antialias, offset)
  grid = np.einsum("ia,jb,abd->ijd", weights, weights, grid, optimize=True)
  resized = np.concatenate([table[:extra], grid.reshape(wanted * wanted, -1)])
  return resized.astype(embedding.dtype)


def _bicubic(inputs: int, outputs: int, antialias: bool, offset: float) -> np.ndarray:
  """[outputs, inputs] weights of torch's bicubic, align_corners=False.

  Torch's kernel has a = -0.75 without antialiasing (edges repeated), and with it a = -0.5,
  widened where it shrinks (edges cut off, weights summing to one).
  """
  scale = inputs / (outputs + offset)
  width = max(scale, 1.0) if antialias else 1.0
  a = -0.5 if antialias else -0.75
  weights = np.zeros((outputs, inputs))
  for row in range(outputs):
    centre = (row + 0.5) * scale - 0.5
    for tap in range(math.floor(centre - 2 * width), math.ceil(centre + 2 * width) + 1):
      weight = _keys(abs(tap - centre) / width, a)
      if 0 <= tap < inputs:
        weights[row, tap] += weight
      elif not antialias:
        weights[row, min(max(tap, 0), inputs - 1)] += weight
  return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _keys(x: float, a: float) -> float:
  """The cubic convolution kernel (Keys, 1981)."""
  if x < 1:
    return (a + 2) * x**3 - (a + 3) * x**2 + 1
  return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0
