"""Sequences of slowly changing images: how often does the prediction flip from one to the next?"""

import numpy as np
from numpy.typing import ArrayLike

from jaxbench import errors


def flip_probability(
  sequence: ArrayLike, position: ArrayLike, prediction: ArrayLike, *, noise: bool
) -> float:
  """The share of steps at which the prediction changes (Hendrycks & Dietterich, 2019).

  Each sequence counts alike. The flip rate of ImageNet-P is this over AlexNet's, and the mean flip
  rate the mean of ten perturbations' (arXiv:1903.12261, section 4.2); AlexNet's own figures are in
  no paper, so that they have to be measured.

  Args:
    sequence: [N], the sequence of each image: an array, or the column `anchor` of records.
    position: [N] int in the sequence, 0 first; or the column `offset`.
    prediction: [N] int; -1, where a model has none, is another from image to image.
    noise: compare with the first image, which is clean, rather than with the one before.

  Returns:
    in [0, 1].

  Raises:
    InputError: a sequence has less than two images, or lacks some in between.
  """
  names, places, classes = (np.asarray(column) for column in (sequence, position, prediction))
  order = np.lexsort((places, names))
  names, places, classes = names[order], places[order], classes[order]
  starts = np.flatnonzero(np.append(True, names[1:] != names[:-1])[: len(names)])
  lengths = np.diff(np.append(starts, len(names)))
  expected = np.arange(len(names)) - np.repeat(starts, lengths)
  if not len(names) or (lengths < 2).any() or (places != expected).any():
    raise errors.InputError("flips need whole sequences of two images or more")
  before = np.repeat(classes[starts], lengths) if noise else np.roll(classes, 1)
  flipped = ((classes != before) | (classes < 0) | (before < 0)) & (expected > 0)
  return float(np.mean(np.add.reduceat(flipped, starts) / (lengths - 1)))
