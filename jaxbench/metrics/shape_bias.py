"""Does a model go by shape or by texture, where an image has them of different classes?"""

import numpy as np
from numpy.typing import ArrayLike

from jaxbench import errors
from jaxbench.metrics.accuracy import Proportion, proportion


def shape_bias(shape: ArrayLike, texture: ArrayLike, prediction: ArrayLike) -> Proportion:
  """The share of shape among the decisions for shape or texture (Geirhos et al., 2019).

  Images whose shape and texture agree do not count, nor do predictions of a third class. The ten
  human observers of arXiv:1811.12231 have 0.92 to 0.99.

  Args:
    shape: [N] int, the class of the shape: an array, or the column `label` of records.
    texture: [N] int, the class of the texture: an array, or the column `target` of records, which
      has none where it is that of the shape.
    prediction: [N] int.

  Raises:
    InputError: no prediction is for either.
  """
  shapes, textures, predictions = (np.asarray(column) for column in (shape, texture, prediction))
  conflict = ~np.isnan(textures.astype(np.float64)) & (shapes != textures)
  by_shape = int((conflict & (predictions == shapes)).sum())
  by_texture = int((conflict & (predictions == textures)).sum())
  if not by_shape + by_texture:
    raise errors.InputError("no prediction is for the shape or the texture of a conflicting image")
  return proportion(by_shape, by_shape + by_texture)
