"""What an attack needs until it fools: accuracy over its queries, or over its steps."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from jaxbench import metrics
from jaxbench.records import kinds
from jaxbench.report import plots
from jaxbench.report.by_setting import Table
from jaxbench.report.classifiers import ByCell

_FEWEST_STEPS = 4  # Fewer are no curve.


def budgets(tables: list[Table], by_cell: ByCell) -> Iterator[str]:
  """SVGs of the attacks among some tables, each at its middle epsilon."""
  for table in tables:
    if table.kind == kinds.ATTACK:
      yield from filter(None, (queries(table, by_cell), steps(table, by_cell)))


def queries(table: Table, by_cell: ByCell) -> str:
  """SVG: accuracy over the query budget of an attack; "" if it has gradients."""
  curves, largest = _needed(table, by_cell, _queries_needed, "forwards", gradients=False)
  if not curves:
    return ""
  axis = f"queries, epsilon {table.settings[table.middle]}{table.at}"
  return plots.robustness_curves(table.perturbation, axis, largest, curves)


def steps(table: Table, by_cell: ByCell) -> str:
  """SVG: accuracy over the steps of an attack with gradients; "" of others, and of few steps."""
  curves, largest = _needed(table, by_cell, metrics.steps_needed, "steps", gradients=True)
  if largest < _FEWEST_STEPS:
    return ""
  axis = f"steps, epsilon {table.settings[table.middle]}{table.at}"
  return plots.robustness_curves(f"convergence of {table.perturbation}", axis, largest, curves)


def _needed(
  table: Table,
  by_cell: ByCell,
  needed: Callable[[pa.Table], np.ndarray],
  column: str,
  *,
  gradients: bool,
) -> tuple[list[plots.Steps], int]:
  """What the examples needed until they were fooled, a curve a cell, and the most of `column`."""
  curves, largest = [], 0
  for classifier, cells in table.lines:
    cell = cells[table.middle]
    if cell is None or bool(cell["backwards"]) != gradients:
      continue
    rows = by_cell[cell["cell"]]
    style = classifier.name, classifier.color, classifier.dash
    curves.append(plots.Steps(*style, needed(rows), classifier.choice))
    largest = max(largest, int(rows[column].to_numpy().max()))
  return curves, largest


def _queries_needed(rows: pa.Table) -> np.ndarray:
  """Ascending; infinite for what withstands."""
  fooled = rows["success"].to_numpy(zero_copy_only=False)
  return np.sort(np.where(fooled, rows["forwards"].to_numpy(), np.inf))
