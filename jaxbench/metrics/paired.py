"""Two cells on the same examples: is the difference more than chance?"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from jaxbench import errors
from jaxbench.metrics.summary import is_correct, is_example


class Comparison(NamedTuple):
  """Two cells, example by example."""

  examples: int
  only_first: int  # Examples that only the first cell gets right.
  only_second: int
  difference: float  # Accuracy of the first minus that of the second.
  p_value: float  # Exact McNemar, two-sided.


def compare(rows: pa.Table, first: str, second: str) -> Comparison:
  """Compares two cells on the examples they share (McNemar, 1947, in its exact binomial form).

  Args:
    rows: of `records.read`.
    first: cell id.
    second: cell id.

  Raises:
    InputError: a cell has no rows, or they share no example.
  """
  right = [_correct_by_example(rows, cell) for cell in (first, second)]
  shared = sorted(right[0].keys() & right[1].keys())
  if not shared:
    raise errors.InputError(f"{first} and {second} share no example")
  return mcnemar(*(np.array([cell[example] for example in shared]) for cell in right))


def mcnemar(first: np.ndarray, second: np.ndarray) -> Comparison:
  """Compares bool [N] with bool [N]: which examples each gets right; N is not 0."""
  only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
  discordant = only_first + only_second
  p_value = stats.binomtest(only_first, discordant).pvalue if discordant else 1.0
  difference = (only_first - only_second) / len(first)
  return Comparison(len(first), only_first, only_second, difference, float(p_value))


def _correct_by_example(rows: pa.Table, cell: str) -> dict[str, bool]:
  rows = rows.filter(pc.and_(pc.equal(rows["cell"].cast(pa.string()), cell), is_example(rows)))
  if not len(rows):
    raise errors.InputError(f"no rows of cell {cell!r}")
  return dict(zip(rows["example"].to_pylist(), is_correct(rows).to_pylist(), strict=True))
