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
  one, two = np.asarray(first, bool), np.asarray(second, bool)
  if len(one) != len(two) or not len(one):
    raise errors.InputError(f"the same examples are needed, not {len(one)} and {len(two)}")
  observed = np.mean(one == two)
  expected = one.mean() * two.mean() + (1 - one.mean()) * (1 - two.mean())
  return 1.0 if observed == 1 else float((observed - expected) / (1 - expected))
