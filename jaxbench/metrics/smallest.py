"""Smallest epsilons: their distribution, and the accuracy at every epsilon that follows from it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy

from jaxbench import records

_ROUNDING = 2e-6  # By which rows of older versions may be above the largest epsilon.


def smallest_epsilons(rows: pa.Table, cell: str) -> np.ndarray:
  """Smallest epsilons [N] float32 of one cell that bisects, ascending.

  They are 0 where the model is wrong without an attack, infinite where nothing fooled it: as
  `success` has it, so that none is above the largest epsilon by a rounding.

  Args:
    rows: of `records.read`.
    cell: its id.
  """
  return np.sort(distances(rows.filter(records.is_value(rows["cell"], cell))))


def distances(rows: pa.Table) -> np.ndarray:
  """Smallest epsilons of rows of cells that bisect, float32 [N]; as `smallest_epsilons`."""
  sizes, largest = (rows[name].to_numpy() for name in ("distance", "epsilon"))
  over = (sizes > largest) & (sizes <= largest * (1 + _ROUNDING) + _ROUNDING)
  fooled = rows["success"].to_numpy().astype(bool)
  return np.where(fooled, np.where(over, largest, sizes), np.inf).astype(np.float32)


def robust_accuracy(smallest: np.ndarray, epsilons: Iterable[float]) -> np.ndarray:
  """Accuracy [E] under attack at each of `epsilons`: the share of `smallest` [N] beyond it."""
  radii = np.asarray(list(epsilons), np.float32)
  return (np.asarray(smallest)[None] > radii[:, None]).mean(axis=1)


def summarize_smallest(rows: pa.Table) -> pa.Table:
  """The distribution of the smallest epsilons, one row per cell that bisects.

  Args:
    rows: of `records.read`.

  Returns:
    `cell`; `examples`; `quartile`, `median` and `third_quartile`, each an epsilon of the data,
    infinite where so many examples withstand; `median_low` and `median_high`, the distribution-free
    95 % interval of the median from order statistics (Conover, 1999, section 3.2), None at an end
    that so few examples do not have; `withstand`, the share that nothing up to the largest epsilon
    fooled.
  """
  columns = rows.select(["cell", "distance", "epsilon", "success"])
  searched = records.by_cell(columns.filter(pc.is_valid(rows["tolerance"])))
  return pa.Table.from_pylist(
    [
      {"cell": cell} | describe_smallest(smallest_epsilons(table, cell))
      for cell, table in searched.items()
    ]
  )


def smallest_of_all(cells: Sequence[pa.Table]) -> np.ndarray:
  """Smallest epsilons [N] float32 over several attacks, example by example, ascending.

  Args:
    cells: rows of cells that bisect, of one classifier; examples that all of them have count.
  """
  names = np.concatenate([table["example"].to_numpy() for table in cells])
  sizes = np.concatenate([distances(table) for table in cells])
  _, where, counts = np.unique(names.astype(str), return_inverse=True, return_counts=True)
  smallest = np.full(len(counts), np.inf, np.float32)
  np.minimum.at(smallest, where, sizes)
  return np.sort(smallest[counts == len(cells)])


def describe_smallest(smallest: np.ndarray) -> dict[str, Any]:
  """The figures that `summarize_smallest` has of one cell, of smallest epsilons [N], N > 0."""
  quartile, median, third = np.quantile(smallest, (0.25, 0.5, 0.75), method="inverted_cdf")
  ends = scipy.stats.quantile_test(smallest, p=0.5).confidence_interval(0.95)
  low, high = (None if np.isnan(end) else float(end) for end in ends)
  return {
    "examples": len(smallest),
    "quartile": float(quartile),
    "median": float(median),
    "median_low": low,
    "median_high": high,
    "third_quartile": float(third),
    "withstand": float(np.isinf(smallest).mean()),
  }
