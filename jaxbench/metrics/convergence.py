"""Does an attack still find what it looks for when its steps run out?"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import records
from jaxbench.records import kinds

_LAST = 0.1  # Of the steps.
_SHARE = 0.01  # Of the examples: so many fall in the last steps of an attack that needs more.
_FEWEST_STEPS = 10  # Below, the last tenth is no step.


def steps_needed(rows: pa.Table) -> np.ndarray:
  """Steps [N] float64 that fooled each example of a cell, ascending; infinite where none did.

  0 where the model is wrong without an attack.

  Args:
    rows: of one attack at one epsilon, which stops where it succeeds.
  """
  success = rows["success"].to_numpy()
  return np.sort(np.where(success, rows["steps"].to_numpy(), np.inf))


def unconverged(rows: pa.Table) -> list[dict[str, Any]]:
  """Cells of attacks that would fool more with more steps.

  More than 1 % of their examples fell in the last tenth of the steps, which others withstood. The
  accuracy is then an upper bound that says more of the attack than of the model.

  Args:
    rows: of `records.read`.

  Returns:
    one dictionary per such cell: `cell`, `examples`, `steps`, how many there were, and `late`, how
    many examples fell in the last tenth of them.
  """
  cells = []
  columns = rows.select(["cell", "perturbation", "severity", "epsilon", "success", "steps"])
  for cell, table in records.by_cell(columns).items():
    if kinds.of_rows(table) != kinds.ATTACK:  # For transfer, every step is made.
      continue
    needed = steps_needed(table)
    survived = table.filter(pc.invert(table["success"]))["steps"]
    steps = pc.max(survived).as_py() or 0
    late = int(((needed > (1 - _LAST) * steps) & (needed <= steps)).sum())
    if steps >= _FEWEST_STEPS and late > max(_SHARE * len(table), 1):
      cells.append({"cell": cell, "examples": len(table), "steps": steps, "late": late})
  return cells
