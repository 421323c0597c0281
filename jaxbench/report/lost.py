"""What attacks cost retrieval, by the definitions of success that papers use for it."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import metrics, records
from jaxbench.records import directions, kinds
from jaxbench.report.classifiers import Row

DEFINITIONS = ("set_difference", "points", "relative")


class Lost(NamedTuple):
  """Of queries whose own was among the first k."""

  set_difference: float | None  # The share for which it no longer is.
  points: float | None  # How far recall has fallen.
  relative: float | None  # That as a share of recall.


class Losses:
  """Of a run.

  Args:
    rows: of `records.read_finished`.
    run: run.json.
  """

  def __init__(self, rows: pa.Table, run: Row):
    self._cells = {cell["id"]: cell for cell in run["cells"]}
    self._rows = records.by_cell(rows)
    self._clean = {
      _whose(cell): self._rows.get(name)
      for name, cell in self._cells.items()
      if cell["kind"] == kinds.CLEAN
    }

  def of(self, line: Row | None, k: int) -> Lost | None:
    """Of a line of `metrics.recalls`; None without an attacker, or without all clean ranks."""
    cell = self._cells[line["cell"]] if line else {}
    if not (line and cell.get("knowledge")) or line["data"] != directions.images_of(cell["data"]):
      return None
    attacked, clean = self._rows[line["cell"]], self._clean.get(_whose(cell))
    if clean is None or not pc.all(pc.is_in(attacked["example"], clean["example"])).as_py():
      return None
    return Lost(*(metrics.attack_success(attacked, name, clean=clean, k=k) for name in DEFINITIONS))


def _whose(cell: Row) -> tuple[str, str, str | None]:
  return cell["model"], cell["data"], cell["prompts"]
