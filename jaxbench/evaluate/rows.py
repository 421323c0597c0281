"""Rows of a block of examples: what is done to its images, and what classifiers say of them."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
import pyarrow as pa

from jaxbench import data, errors, records
from jaxbench.evaluate import evaluator, memory, sequences, transfer
from jaxbench.evaluate.blocks import Block
from jaxbench.plan import Cell, perturbations
from jaxbench.telemetry.progress import Progress


class Rows:
  """Makes the rows of one block for cells with one preprocessing.

  Args:
    judging: has the classifiers.
    block: of examples.
    done: the examples of a cell that have rows already.
    progress: counts passes.
  """

  def __init__(
    self,
    judging: evaluator.Judge,
    block: Block,
    done: Callable[[Cell], set[str]],
    progress: Progress,
  ):
    self._judging, self._block, self._done, self._progress = judging, block, done, progress
    self._clean: dict[Any, evaluator.Columns] = {}  # By model and prompt set.
    self._made: dict[Cell, set[str]] = collections.defaultdict(set)  # Examples with rows since.
    self.absent: list[dict[str, str]] = []  # Cells that had to be given up, with the reason.

  def of(self, cells: list[Cell]) -> Iterator[pa.Table]:
    """Tables of the cells that lack rows, as soon as they are known.

    Where a device's memory is full, it goes on from there in half the slots.

    Raises:
      InputError: it is full with one slot.
    """
    everything = set(self._block.ids)
    while left := [cell for cell in cells if not everything <= self._written(cell)]:
      try:
        for cell, table in self._tables(left):
          self._made[cell].update(table["example"].to_pylist())
          yield table
          self._progress.update(cell.cost * len(table))
        return
      except jax.errors.JaxRuntimeError as error:
        if not memory.is_exhausted(error):
          raise
      self._judging.halve()

  def _tables(self, cells: list[Cell]) -> Iterator[tuple[Cell, pa.Table]]:
    unseen = [cell for cell in cells if (cell.model, cell.prompts) not in self._clean]
    one_each = {(cell.model, cell.prompts): cell for cell in reversed(unseen)}
    self._progress.show("clean images")
    for size, alike in _by(lambda cell: cell.size, one_each.values()):
      judged = self._judging.clean(alike, self._block.centre(size))
      self._clean |= {(cell.model, cell.prompts): columns for cell, columns in judged.items()}
    for _, group in _by(lambda cell: (cell.perturbation, cell.setting, cell.size), cells):
      for cell, rows, columns in self._judged(group):
        prediction = self._clean[cell.model, cell.prompts]["prediction"][rows]
        yield cell, _table(cell, self._block.at(rows), columns | {"clean_prediction": prediction})

  def _written(self, cell: Cell) -> set[str]:
    """Examples that have rows."""
    return self._done(cell) | self._made[cell]

  def _judged(self, cells: list[Cell]) -> Iterator[tuple[Cell, np.ndarray, evaluator.Columns]]:
    """Rows of the block and their columns, for cells that share one perturbation."""
    first, block = cells[0], self._block
    everything = np.arange(len(block.ids))
    if first.perturbation == perturbations.CLEAN:
      yield from ((cell, everything, self._clean[cell.model, cell.prompts]) for cell in cells)
    elif first.surrogate is not None and first.tolerance is None:
      self._progress.show(f"{first.perturbation} {first.setting}")
      yield from self._transferred(cells)
    elif first.attack is None:
      self._progress.show(f"{first.perturbation} {first.setting}".strip())
      for cell, columns in self._shown(cells).items():
        yield cell, everything, columns
    else:
      for cell in cells:
        self._progress.show(f"{cell.perturbation} {cell.setting} on {cell.model}")
        written = self._written(cell)
        left = np.array([row for row in everything if block.ids[row] not in written], int)
        known = self._clean[cell.model, cell.prompts]["prediction"][left]
        for rows, columns in self._attacked(cell, block.at(left), known):
          yield cell, left[rows], columns

  def _attacked(
    self, cell: Cell, block: Block, clean: np.ndarray
  ) -> Iterator[tuple[np.ndarray, evaluator.Columns]]:
    """Rows of the block and their columns, for a cell that shares its images with no other."""
    if cell.surrogate is None:
      yield from self._judging.attacked(cell, block, clean)
      return
    try:
      yield transfer.bisected(self._judging, cell, block, clean)
    except errors.InputError as error:
      self._give_up([cell], error)
    else:
      wrong = np.flatnonzero(clean != block.labels)
      yield wrong, evaluator.untouched(block, clean, wrong)

  def _transferred(self, cells: list[Cell]) -> Iterator[tuple[Cell, np.ndarray, evaluator.Columns]]:
    """Rows that are not written yet; no image is made again that no cell needs."""
    block, written = self._block, {cell: self._written(cell) for cell in cells}
    lacking = {cell: np.array([name not in written[cell] for name in block.ids]) for cell in cells}
    left = np.flatnonzero(np.any(list(lacking.values()), axis=0))
    try:
      for cell, some, columns in transfer.attacked(self._judging, cells, block.at(left)):
        rows = left[some]
        keep = np.flatnonzero(lacking[cell][rows])
        if len(keep):
          fresh = {name: [column[i] for i in keep] for name, column in columns.items()}
          yield cell, rows[keep], fresh
    except errors.InputError as error:
      self._give_up(cells, error)

  def _shown(self, cells: list[Cell]) -> dict[Cell, evaluator.Columns]:
    """Predictions on images that are made for all models; cells become absent where they cannot."""
    judging, block = self._judging, self._block
    if cells[0].severity is not None:
      return judging.corrupted(cells, block)
    if cells[0].sequence is not None:
      return sequences.judged(judging, cells, block)
    try:
      if cells[0].perturbation == perturbations.STYLIZED:
        return judging.stylized(cells, block)
      return judging.written(cells, block)
    except errors.InputError as error:
      self._give_up(cells, error)
      return {}

  def _give_up(self, cells: list[Cell], error: errors.InputError) -> None:
    found = [{"what": cell.id, "reason": str(error)} for cell in cells]
    self.absent += [one for one in found if one not in self.absent]


def _by(key: Callable[[Cell], Any], cells: Iterable[Cell]) -> Iterator[tuple[Any, list[Cell]]]:
  """Cells by what they share, those that stand together."""
  for shared, group in itertools.groupby(cells, key):
    yield shared, list(group)


def _table(cell: Cell, block: Block, columns: evaluator.Columns) -> pa.Table:
  """The rows of one cell on one block."""
  known = data.columns(block.source, block.indices)
  known |= {"example": block.ids, "label": block.labels}
  return records.table(cell.columns, known | columns)
