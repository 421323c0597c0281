"""Proportions of examples, with exact intervals."""

from typing import NamedTuple

import scipy


class Proportion(NamedTuple):
  """A share of examples with its 95 % Clopper-Pearson interval."""

  value: float
  low: float
  high: float


def proportion(count: int, total: int, confidence: float = 0.95) -> Proportion:
  """`count` of `total`, with the exact binomial interval (Clopper & Pearson, 1934).

  Raises:
    ValueError: there are no examples, so there is no number.
  """
  if total < 1:
    raise ValueError("there are no examples")
  tail, wrong = (1 - confidence) / 2, total - count
  # Not `scipy.stats`, whose import takes as long as a small report and which looks for the roots.
  low = scipy.special.betaincinv(count, wrong + 1, tail) if count else 0.0
  high = scipy.special.betaincinv(count + 1, wrong, 1 - tail) if wrong else 1.0
  return Proportion(count / total, float(low), float(high))
