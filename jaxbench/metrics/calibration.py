"""Is a model right as often as it claims to be?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxbench import errors


class Reliability(NamedTuple):
  """Bins of equal width over [0, 1]; arrays [bins], NaN means where there are no examples."""

  examples: np.ndarray  # int64.
  confidence: np.ndarray  # float64, the mean.
  accuracy: np.ndarray  # float64.


def reliability(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> Reliability:
  """How often predictions are right that claim so much (Niculescu-Mizil & Caruana, 2005).

  Arguments and errors are those of `expected_calibration_error`.
  """
  claimed, hits = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
  if not len(claimed) or not ((claimed >= 0) & (claimed <= 1)).all():
    raise errors.InputError("calibration needs examples with confidences in [0, 1]")
  where = np.minimum((claimed * bins).astype(int), bins - 1)
  examples = np.bincount(where, minlength=bins)
  with np.errstate(invalid="ignore"):
    means = [np.bincount(where, each, minlength=bins) / examples for each in (claimed, hits)]
  return Reliability(examples, *means)


def expected_calibration_error(
  confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15
) -> float:
  """The mean distance of accuracy from confidence, over bins of equal width (Guo et al., 2017).

  Each bin weighs as its examples do. Reference: arXiv:1706.04599, equation 3.

  Args:
    confidence: [N] probability in [0, 1] of each prediction: an array, or a column of records.
    correct: [N] bool, as `is_correct` has it.
    bins: into which [0, 1] is divided; a confidence on an edge is in the upper bin, 1 in the last.

  Returns:
    in [0, 1].

  Raises:
    InputError: there are no examples, or a confidence is no probability.
  """
  diagram = reliability(confidence, correct, bins=bins)
  gaps = diagram.examples * np.abs(diagram.accuracy - diagram.confidence)
  return float(np.nansum(gaps) / diagram.examples.sum())
