"""Does a black-box attack win where every gradient attack has failed?"""

from typing import Any

import pyarrow as pa

from jaxbench import records

_SHARE = 0.002  # Of the examples: what AutoAttack's own check tolerates.


def gradient_masking(rows: pa.Table) -> list[dict[str, Any]]:
  """Cells of a cascade in which Square alone fooled more than 0.2 % of the examples.

  That is the sign of gradients that lead nowhere (Croce & Hein, 2020, arXiv:2003.01690).

  Args:
    rows: of `records.read`.

  Returns:
    one dictionary per such cell: `cell`, `examples` and `alone`, how many Square fooled.
  """
  alone = records.is_value(rows["found_by"], "square")
  counted = rows.select(["cell"]).append_column("alone", alone.cast(pa.int64()))
  cells = counted.group_by("cell").aggregate([("alone", "sum"), ("alone", "count")]).to_pylist()
  return [
    {"cell": cell["cell"], "examples": cell["alone_count"], "alone": cell["alone_sum"]}
    for cell in cells
    if cell["alone_sum"] > _SHARE * cell["alone_count"]
  ]
