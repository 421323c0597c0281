"""Do two classifiers, or a classifier and a person, err on the same images?"""

import numpy as np
from numpy.typing import ArrayLike

from jaxbench import errors


def error_consistency(first: ArrayLike, second: ArrayLike) -> float:
  """Cohen's kappa of who is right where (Geirhos et al., 2020, arXiv:2006.16736, section 2).

  Args:
    first: [N] bool, which examples the one gets right.
    second: [N] bool, the same examples by the other.

  Returns:
    1 if they err on the same examples, 0 if they agree no more than their accuracies explain,
    negative if less.

  Raises:
    InputError: there are no examples, or not as many of both.
  """
  left, right = np.asarray(first, bool), np.asarray(second, bool)
  if len(left) != len(right) or not len(left):
    raise errors.InputError(f"the same examples are needed, not {len(left)} and {len(right)}")
  observed = np.mean(left == right)
  expected = left.mean() * right.mean() + (1 - left.mean()) * (1 - right.mean())
  return 1.0 if observed == 1 else float((observed - expected) / (1 - expected))
