"""Accuracy in which every class counts alike, however many examples it has."""

import numpy as np
from numpy.typing import ArrayLike


def mean_per_class_accuracy(label: ArrayLike, correct: ArrayLike) -> float:
  """The mean over classes of the share of their examples that are right.

  Classes without examples do not count. The same as balanced accuracy, or mean recall.

  Args:
    label: [N] int, or a column of records.
    correct: [N] bool, as `is_correct` has it.

  Raises:
    ValueError: there are no examples, so there is no number.
  """
  labels, hits = np.asarray(label), np.asarray(correct)
  if not len(labels):
    raise ValueError("there are no examples")
  _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
  return float(np.mean(np.bincount(classes, weights=hits) / counts))
