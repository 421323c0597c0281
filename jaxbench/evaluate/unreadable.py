"""Images that cannot be read: counted, written down with the reason, and only so many of them."""

from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa

from jaxbench import config, errors, records
from jaxbench.attacks.engine import verdict
from jaxbench.blocks import Unreadable
from jaxbench.plan import Cell


class Lost:
  """Counts the examples of one data set that cannot be read.

  Args:
    settings: say how large a share of them is endured.
    name: of the data set.
    examples: in all.
    before: ids of those that earlier sessions have lost.
  """

  def __init__(self, settings: config.Config, name: str, examples: int, before: Iterable[str]):
    self._share, self._name, self._examples = settings.unreadable, name, examples
    self._ids = set(before)

  def add(self, missing: Unreadable) -> None:
    """Counts them, each once.

    Raises:
      InputError: they are too many.
    """
    self._ids.update(missing.ids)
    if missing.ids and len(self._ids) > self._share * self._examples:
      raise errors.InputError(
        f"{self._name}: {len(self._ids)} of {self._examples} images cannot be read, more than "
        f"--config.unreadable={self._share:g} allows; one is {missing.errors[0]}"
      )


def rows(cell: Cell, missing: Unreadable, done: Collection[str]) -> pa.Table:
  """Rows of a cell with errors in place of verdicts, but for the ids that are `done`."""
  new = [row for row, name in enumerate(missing.ids) if name not in done]
  unknown, none = np.full(len(new), verdict.NOTHING, np.int32), np.zeros(len(new), np.int32)
  columns = {
    "example": [missing.ids[row] for row in new],
    "label": missing.labels[new],
    "clean_prediction": unknown,
    "prediction": unknown,
    "forwards": none,
    "backwards": none,
    "error": [missing.errors[row] for row in new],
  }
  return records.table(cell.columns, columns)
