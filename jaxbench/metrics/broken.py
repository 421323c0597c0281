"""Examples apart from right and wrong: logits that are no numbers, claims that did not hold."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import records

NOTHING = -1  # The prediction where a logit is not finite.


def not_finite(rows: pa.Table) -> list[dict[str, Any]]:
  """Cells with predictions of nothing: `cell`, `examples`, and how many are `broken`.

  Args:
    rows: of `records.read`.
  """
  return _counted(rows, "broken", pc.equal(rows["prediction"], NOTHING))


def refuted(rows: pa.Table) -> list[dict[str, Any]]:
  """Cells in which the judge refuted claims of an attack: `cell`, `examples`, `refuted` of them.

  Args:
    rows: of `records.read`.
  """
  return _counted(rows, "refuted", pc.greater(pc.fill_null(rows["refuted"], 0), 0))


def _counted(rows: pa.Table, name: str, counted: pa.ChunkedArray) -> list[dict[str, Any]]:
  cells = records.by_cell(rows.select(["cell"]).append_column(name, counted).filter(counted))
  examples = pc.value_counts(rows["cell"].cast(pa.string())).to_pylist() if cells else []
  total = {count["values"]: count["counts"] for count in examples}
  return [
    {"cell": cell, "examples": total[cell], name: len(table)} for cell, table in cells.items()
  ]
