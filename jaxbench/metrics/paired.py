"""Two cells on the same examples: is the difference more than chance?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy

from jaxbench import errors, records
from jaxbench.metrics.bootstrap import bootstrap
from jaxbench.metrics.summary import is_correct, is_example
from jaxbench.records import directions

_RESAMPLES = 10_000
_AT_A_TIME = 500  # Of them, where each has a number for every cluster.


class Comparison(NamedTuple):
  """Two cells, example by example."""

  examples: int
  only_first: int  # Examples that only the first cell gets right.
  only_second: int
  difference: float  # Accuracy of the first minus that of the second.
  # Two-sided: exact McNemar; of captions, signs of whole images are flipped.
  p_value: float
  low: float  # 95 % percentile bootstrap interval of the difference, over the examples or images.
  high: float


def compare(rows: pa.Table, first: str, second: str) -> Comparison:
  """Compares two cells on the examples they share (McNemar, 1947, in its exact binomial form).

  Args:
    rows: of `records.read`.
    first: cell id.
    second: cell id.

  Raises:
    InputError: a cell has no rows, or they share no example.
  """
  left, right = (rows.filter(records.is_value(rows["cell"], cell)) for cell in (first, second))
  for cell, table in ((first, left), (second, right)):
    if not len(table):
      raise errors.InputError(f"no rows of cell {cell!r}")
  return compare_cells(left, right)


def compare_cells(first: pa.Table, second: pa.Table) -> Comparison:
  """Compares the rows of one cell with those of another, which may be of another run.

  Captions that look for images count by their images, since those of one are alike.

  Raises:
    InputError: they share no example.
  """
  left, right = shared(first, second)
  return paired(is_correct(left).to_numpy(), is_correct(right).to_numpy(), left)


def paired(first: np.ndarray, second: np.ndarray, rows: pa.Table) -> Comparison:
  """Compares bool [N] with bool [N] of the examples of `rows`, alone or by what they are of."""
  direction = rows["direction"][0].as_py()
  if direction == directions.TEXT_TO_IMAGE:
    return clustered(first, second, rows["label"].to_numpy())
  return mcnemar(first, second)


def shared(first: pa.Table, second: pa.Table) -> tuple[pa.Table, pa.Table]:
  """The examples that both cells have, in one order.

  Raises:
    InputError: there are none.
  """
  left, right = (rows.filter(is_example(rows)) for rows in (first, second))
  if not left["example"].equals(right["example"]):
    where = pc.index_in(left["example"], value_set=right["example"].combine_chunks())
    left, right = left.filter(pc.is_valid(where)), right.take(where.drop_null())
  if not len(left):
    names = [rows["cell"][0].as_py() if len(rows) else "no cell" for rows in (first, second)]
    raise errors.InputError(f"{names[0]} and {names[1]} share no example")
  return left, right


def mcnemar(first: np.ndarray, second: np.ndarray) -> Comparison:
  """Compares bool [N] with bool [N]: which examples each gets right; N is not 0."""
  total = len(first)
  only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
  discordant = only_first + only_second
  tail = scipy.special.bdtr(min(only_first, only_second), discordant, 0.5)  # Both are as heavy.
  # A resample of examples is one of their three kinds.
  shares = np.array([only_first, only_second, total - discordant]) / total
  times = np.random.default_rng(0).multinomial(total, shares, size=_RESAMPLES)
  low, high = np.quantile((times[:, 0] - times[:, 1]) / total, (0.025, 0.975))
  difference = (only_first - only_second) / total
  return Comparison(
    total, only_first, only_second, difference, min(2 * float(tail), 1.0), float(low), float(high)
  )


def clustered(first: np.ndarray, second: np.ndarray, clusters: np.ndarray) -> Comparison:
  """As `mcnemar`, of examples that are alike within a cluster, as the captions of an image are.

  If there were no difference, each cluster's could as well have the other sign: the p-value is the
  share of random signs (10,000) under which the sum is as far from zero. The bootstrap takes whole
  clusters.

  Args:
    first: bool [N].
    second: bool [N].
    clusters: [N] integers, the cluster of each.
  """
  _, members = np.unique(clusters, return_inverse=True)
  lead = first.astype(np.int64) - second.astype(np.int64)
  sums, sizes = np.bincount(members, weights=lead), np.bincount(members)
  moved, rng, beyond = sums[sums != 0].astype(np.float32), np.random.default_rng(0), 0
  for _ in range(_RESAMPLES // _AT_A_TIME):
    signs = rng.integers(0, 2, (_AT_A_TIME, len(moved)), np.int8) * np.int8(2) - np.int8(1)
    beyond += int((np.abs(signs.astype(np.float32) @ moved) >= abs(moved.sum())).sum())
  # The difference itself is one of the sums.
  p_value = (beyond + 1) / (_RESAMPLES + 1)

  def share(means: np.ndarray) -> dict[str, np.ndarray]:
    return {"difference": means[..., 0] / means[..., 1]}

  found = bootstrap(np.stack([sums, sizes], axis=1), share)["difference"]
  counts = int((lead > 0).sum()), int((lead < 0).sum())
  return Comparison(len(first), *counts, float(lead.mean()), p_value, found.low, found.high)


def holm(p_values: Sequence[float]) -> np.ndarray:
  """p-values [N] that hold for all N tests together (Holm, 1979).

  Below 0.05 are those that are not chance, and the chance that any of them is stays below 0.05,
  however the tests depend on one another.
  """
  values = np.asarray(p_values, np.float64)
  order = np.argsort(values, kind="stable")
  adjusted = np.empty_like(values)
  left = np.arange(len(values), 0, -1)
  adjusted[order] = np.minimum(1, np.maximum.accumulate(left * values[order]))
  return adjusted
