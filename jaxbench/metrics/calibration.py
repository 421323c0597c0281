"""Is a model right as often as it claims to be?"""

import numpy as np
from numpy.typing import ArrayLike

from jaxbench import errors


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
  claimed, hits = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
  if not len(claimed) or not ((claimed >= 0) & (claimed <= 1)).all():
    raise errors.InputError("calibration needs examples with confidences in [0, 1]")
  where = np.minimum((claimed * bins).astype(int), bins - 1)
  gaps = np.bincount(where, weights=hits - claimed, minlength=bins)
  return float(np.abs(gaps).sum() / len(claimed))
