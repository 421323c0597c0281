"""Accuracy in which every class counts alike, however many examples it has."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxbench.metrics.accuracy import Proportion, proportion


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


class ClassAccuracy(NamedTuple):
  """One class of one classifier."""

  label: int
  examples: int
  accuracy: Proportion
  mistaken_for: int | None  # The most frequent wrong prediction; None if there is none.


def worst_classes(
  label: ArrayLike, prediction: ArrayLike, correct: ArrayLike, *, count: int = 3
) -> list[ClassAccuracy]:
  """The classes of lowest accuracy, the worst first; of equal ones those with more examples.

  The worst of many classes looks worse than it is: its interval is that of the class alone.

  Args:
    label: [N] int, as all that follow: arrays, or columns of records.
    prediction: int.
    correct: bool, as `is_correct` has it.
    count: how many classes.

  Raises:
    ValueError: there are no examples.
  """
  labels, predictions, hits = (np.asarray(each) for each in (label, prediction, correct))
  if not len(labels):
    raise ValueError("there are no examples")
  classes, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
  right = np.bincount(members, weights=hits).astype(int)
  order = np.lexsort((classes, -counts, right / counts))[:count]
  return [
    ClassAccuracy(
      int(classes[place]),
      int(counts[place]),
      proportion(int(right[place]), int(counts[place])),
      _most_frequent(predictions[(members == place) & ~hits]),
    )
    for place in order
  ]


def _most_frequent(predictions: np.ndarray) -> int | None:
  if not len(predictions):
    return None
  values, counts = np.unique(predictions, return_counts=True)
  return int(values[counts.argmax()])
