"""Which bias the score of two positions gets by how far apart they are: of patches behind a class
token (Raffel et al., 2020, arXiv:1910.10683; Bao et al., 2021, arXiv:2106.08254)."""

import functools

import numpy as np


def rows(side: int) -> int:
  """How many distances there are, those of the class token included."""
  return (2 * side - 1) ** 2 + 3


def of_patches(side: int) -> np.ndarray:
  """int32 [side * side, side * side], the row of a query and a key among patches alone."""
  places = np.indices((side, side)).reshape(2, -1).T
  apart = places[:, None] - places[None] + side - 1
  return (apart[..., 0] * (2 * side - 1) + apart[..., 1]).astype(np.int32)


@functools.cache
def between(side: int) -> np.ndarray:
  """int32 [1 + side * side, 1 + side * side], the row of a query and a key in the table."""
  table = np.empty((1 + side * side,) * 2, np.int32)
  table[1:, 1:] = of_patches(side)
  table[0], table[:, 0], table[0, 0] = rows(side) - 3, rows(side) - 2, rows(side) - 1
  return table
