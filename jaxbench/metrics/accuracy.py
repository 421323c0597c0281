"""Proportions of examples, with exact intervals."""

import functools
from typing import NamedTuple

import scipy


class Proportion(NamedTuple):
  """A share of examples with its 95 % Clopper-Pearson interval."""

  value: float
  low: float
  high: float


@functools.lru_cache(10_000)  # A millisecond each, and the same counts come again in many cells.
def proportion(count: int, total: int, confidence: float = 0.95) -> Proportion:
  """`count` of `total`, with the exact binomial interval (Clopper & Pearson, 1934).

  Raises:
    ValueError: there are no examples, so there is no number.
  """
  if total < 1:
    raise ValueError("there are no examples")
  interval = scipy.stats.binomtest(count, total).proportion_ci(confidence, method="exact")
  return Proportion(count / total, float(interval.low), float(interval.high))
