"""What is left of a classifier under several attacks at once, and over several data sets."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench.metrics.accuracy import Proportion
from jaxbench.metrics.by_image import side_by_side
from jaxbench.metrics.smallest import distances


def withstood(cells: Sequence[pa.Table], epsilon: float) -> np.ndarray:
  """Which examples no attack has fooled within `epsilon`: the worst case over attacks, bool [N].

  A cell that bisects has fooled an example where its smallest epsilon is not beyond `epsilon`; of
  any other cell it is taken as given that it attacked at `epsilon`.

  Args:
    cells: rows of attacks on one classifier, at least one; examples that all of them have count.
    epsilon: in [0, 1] pixel units.

  Example:
    >>> float(metrics.withstood([rows_of_pgd, rows_of_square], 4 / 255).mean())
  """
  fooled = [_fooled(table, epsilon) for table in cells]
  numbers = np.repeat(np.arange(len(cells)), [len(table) for table in cells])
  names = pa.chunked_array([chunk for table in cells for chunk in table["example"].chunks])
  by_attack = side_by_side(numbers, names, np.concatenate(fooled))
  return np.array(~by_attack.any(axis=0))


def _fooled(rows: pa.Table, epsilon: float) -> np.ndarray:
  if pc.any(pc.is_valid(rows["tolerance"])).as_py():
    return distances(rows) <= np.float32(epsilon)
  return rows["success"].to_numpy().astype(bool)


def mean_share(shares: Sequence[Proportion]) -> Proportion:
  """The mean of shares of different examples, with its 95 % interval by square-and-add.

  The distance of each end from the mean is the root of the summed squares of the shares' own
  (Newcombe, 1998; Zou & Donner, 2008). Each share counts alike, however many examples it is of.

  Args:
    shares: with 95 % intervals, at least one; independent of one another.
  """
  value, low, high = np.array(shares, np.float64).T
  ends = [np.sqrt(((end - value) ** 2).sum()) / len(value) for end in (low, high)]
  return Proportion(
    float(value.mean()), float(value.mean() - ends[0]), float(value.mean() + ends[1])
  )
