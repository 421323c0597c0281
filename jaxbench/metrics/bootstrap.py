"""Intervals by resampling examples, for numbers that are not the share of anything."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_AT_A_TIME = 5_000_000  # Numbers, of the counts of some resamples.


class Estimate(NamedTuple):
  """A number with its 95 % percentile bootstrap interval (Efron, 1979)."""

  value: float
  low: float
  high: float


@functools.lru_cache(maxsize=1)  # All classifiers of a data set have the same examples.
def _resamples(total: int, resamples: int, seed: int) -> tuple[np.ndarray, ...]:
  """How often each of `total` examples comes in each resample: some of them, uint16 [R, total]."""
  rng, some = np.random.default_rng(seed), max(1, _AT_A_TIME // total)
  sizes = [min(some, resamples - start) for start in range(0, resamples, some)]
  shares = np.full(total, 1 / total)
  return tuple(rng.multinomial(total, shares, size=size).astype(np.uint16) for size in sizes)


def bootstrap(
  values: np.ndarray,
  statistics: Callable[[np.ndarray], dict[str, np.ndarray]],
  *,
  resamples: int = 1000,
  confidence: float = 0.95,
  seed: int = 0,
) -> dict[str, Estimate]:
  """Intervals of statistics of column means, by resampling rows: whole examples.

  Args:
    values: [N, M], an example a row.
    statistics: a function of the means, [..., M] -> each statistic [...], by name.
    resamples: how many.
    confidence: of the intervals.
    seed: of the resamples.

  Raises:
    ValueError: there are no examples.
  """
  total = len(values)
  if not total:
    raise ValueError("there are no examples")
  values = np.asarray(values, np.float32)
  means = [
    times.astype(np.float32) @ values / total for times in _resamples(total, resamples, seed)
  ]
  drawn = statistics(np.concatenate(means).astype(np.float64))
  point = statistics(values.mean(axis=0, dtype=np.float64))
  tail = (1 - confidence) / 2
  return {
    name: Estimate(float(point[name]), *map(float, np.quantile(resampled, (tail, 1 - tail))))
    for name, resampled in drawn.items()
  }
