"""The section of a report that sets zero-shot classifiers beside supervised ones."""

import itertools
from typing import NamedTuple

from jaxbench import metrics
from jaxbench.report.by_setting import Table
from jaxbench.report.classifiers import ByCell, Classifier

_MOST = 100  # Lines of a table that a person may read.


class Pair(NamedTuple):
  """Two classifiers under one perturbation."""

  first: Classifier
  second: Classifier
  perturbation: str
  cells: tuple[str, str]
  comparison: metrics.Comparison
  adjusted: float  # p-value by Holm, over all pairs of the data set.


class Pairs(NamedTuple):
  """The pairs of one data set."""

  shown: list[Pair]  # All, or those of the largest differences.
  total: int


def pairs(tables: list[Table], by_cell: ByCell, classifiers: list[Classifier]) -> Pairs:
  """Every zero-shot classifier against every supervised one, at the middle settings."""
  compared = []
  for table in tables:
    cells = {classifier: line[table.middle] for classifier, line in table.lines}
    setting = table.settings[table.middle]
    for first, second in itertools.product(classifiers, classifiers):
      left, right = cells[first], cells[second]
      if first.supervised or not second.supervised or not (left and right):
        continue
      ids = (left["cell"], right["cell"])
      comparison = metrics.compare_cells(by_cell[ids[0]], by_cell[ids[1]])
      name = f"{table.perturbation} {setting}".strip()
      compared.append(Pair(first, second, name, ids, comparison, 1.0))
  adjusted = metrics.holm([pair.comparison.p_value for pair in compared])
  compared = [pair._replace(adjusted=float(p)) for pair, p in zip(compared, adjusted, strict=True)]
  if len(compared) > _MOST:
    compared.sort(key=lambda pair: -abs(pair.comparison.difference))
  return Pairs(compared[:_MOST], len(compared))
