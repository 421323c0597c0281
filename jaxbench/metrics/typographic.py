"""Words on images: how much accuracy they cost, and how often the model reads them out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxbench import errors
from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.paired import Comparison, mcnemar


class Typographic(NamedTuple):
  """One classifier on one set of images with words on them, examples of any kind counted.

  RoZ (arXiv:2403.10499) reports `accuracy` and `followed`, both of all images, so that `followed`
  also counts those that the model takes for the written class when nothing is written there.
  Among the images that it has right when clean there are none of these.
  """

  examples: int
  accuracy: Proportion
  followed: Proportion  # The prediction is the written class.
  clean_accuracy: Proportion | None  # This and what follows: None without clean predictions.
  drop: Comparison | None  # Clean against written, example by example.
  followed_if_correct: Proportion | None  # Of those right when clean; None if there are none.


def typographic(
  label: ArrayLike,
  target: ArrayLike,
  prediction: ArrayLike,
  clean_prediction: ArrayLike | None = None,
) -> Typographic:
  """Accuracy, its drop, and the share of examples in which the text is followed.

  Args:
    label: [N], as all that follow: arrays, or columns of records.
    target: the class whose name is on the image.
    prediction: of the image with the word.
    clean_prediction: of the image without it, where there is one.

  Raises:
    InputError: there are no examples, columns differ in length, or a target is its own label.

  Example:
    >>> metrics.typographic(rows["label"], rows["target"], rows["prediction"])
  """
  labels, targets, predictions = (np.asarray(column) for column in (label, target, prediction))
  clean = predictions if clean_prediction is None else np.asarray(clean_prediction)
  if not len(labels) == len(targets) == len(predictions) == len(clean) > 0:
    lengths = [len(column) for column in (labels, targets, predictions, clean)]
    raise errors.InputError(f"columns of {lengths} examples: they must be alike, and not empty")
  if same := int((targets == labels).sum()):
    raise errors.InputError(f"the target of {same} of {len(labels)} examples is their own label")
  right, read = predictions == labels, predictions == targets
  accuracy, followed = _share(right), _share(read)
  if clean_prediction is None:
    return Typographic(len(labels), accuracy, followed, None, None, None)
  right_clean = clean == labels
  conditioned = _share(read[right_clean]) if right_clean.any() else None
  drop = mcnemar(right_clean, right)
  return Typographic(len(labels), accuracy, followed, _share(right_clean), drop, conditioned)


def _share(hits: np.ndarray) -> Proportion:
  return proportion(int(hits.sum()), len(hits))
