"""Rows of a block of examples: what is done to its images, and what classifiers say of them."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
import pyarrow as pa

from jaxbench import config, data, errors, records
from jaxbench.blocks import Block
from jaxbench.evaluate import memory
from jaxbench.evaluate.evaluator import Evaluator
from jaxbench.evaluate.slots import Slots
from jaxbench.plan import Cell
from jaxbench.plan.perturbations import Columns, Target
from jaxbench.telemetry.progress import Progress
from jaxbench.telemetry.time_left import Part


class Rows:
  """Makes the rows of one block for cells with one preprocessing.

  Args:
    evaluator: has the classifiers.
    slots: of the run, halved where a device's memory is full.
    block: of examples.
    done: the examples of a cell that have rows already.
    progress: counts passes.
  """

  def __init__(
    self,
    evaluator: Evaluator,
    slots: Slots,
    block: Block,
    done: Callable[[Cell], set[str]],
    progress: Progress,
  ):
    self._evaluator, self._slots, self._block = evaluator, slots, block
    self._done, self._progress = done, progress
    self._clean: dict[config.Member, Columns] = {}
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
          self._progress.update(cell.cost * len(table), part(cell))
        return
      except jax.errors.JaxRuntimeError as error:
        if not memory.is_exhausted(error):
          raise
      self._slots.halve()

  def _tables(self, cells: list[Cell]) -> Iterator[tuple[Cell, pa.Table]]:
    self._look_at_clean_images(cells)
    for group in _groups(cells):
      perturbation = group[0].perturbation
      title = f"{perturbation.text} {perturbation.setting}".strip()
      alone = "" if perturbation.shares_images else f" on {group[0].model}"
      self._progress.show(f"{group[0].data}: {title}{alone}")
      targets = {self._target(cell): cell for cell in group}
      try:
        for target, rows, columns in perturbation.evaluate(
          self._evaluator, list(targets), self._block
        ):
          clean = target.clean["prediction"][rows]
          cell, some = targets[target], self._block.at(rows)
          yield cell, _table(cell, some, columns | {"clean_prediction": clean})
      except errors.InputError as error:
        given_up = [{"what": cell.id, "reason": str(error)} for cell in group]
        self.absent += [one for one in given_up if one not in self.absent]

  def _look_at_clean_images(self, cells: list[Cell]) -> None:
    """Has all classifiers answer them, each once for a block."""
    unseen = {_member(cell): cell for cell in reversed(cells) if _member(cell) not in self._clean}
    self._progress.show(f"{cells[0].data}: clean images")
    for size, alike in _by(lambda cell: cell.size, unseen.values()):
      members = list(map(_member, alike))
      columns = self._evaluator.clean(members, self._block.centre(size))
      self._clean |= zip(members, columns, strict=True)

  def _target(self, cell: Cell) -> Target:
    written = self._written(cell)
    lacking = np.array([name not in written for name in self._block.ids], bool)
    return Target(cell.classifier, cell.data, cell.size, self._clean[_member(cell)], lacking)

  def _written(self, cell: Cell) -> set[str]:
    """Examples that have rows."""
    return self._done(cell) | self._made[cell]


def part(cell: Cell) -> Part:
  """What takes as long, a planned pass, as others of that name."""
  perturbation = cell.perturbation
  # One program serves all data sets and severities, or all epsilons.
  once = f"{cell.data} {perturbation.setting}"
  return perturbation.kind, perturbation.text, cell.model, once


def _member(cell: Cell) -> config.Member:
  return config.Member(cell.model, cell.prompts)


def _groups(cells: list[Cell]) -> Iterator[list[Cell]]:
  """Cells that are evaluated together: they share the images, or each is alone."""
  for _, alike in _by(lambda cell: (cell.perturbation, cell.size), cells):
    if alike[0].perturbation.shares_images:
      yield alike
    else:
      yield from ([cell] for cell in alike)


def _by(key: Callable[[Cell], Any], cells: Iterable[Cell]) -> Iterator[tuple[Any, list[Cell]]]:
  """Cells by what they share, those that stand together."""
  for shared, group in itertools.groupby(cells, key):
    yield shared, list(group)


def _table(cell: Cell, block: Block, columns: Columns) -> pa.Table:
  """The rows of one cell on one block."""
  columns_of_set = data.columns(block.source, block.indices)
  columns_of_set |= {"example": block.ids, "label": block.labels}
  return records.table(cell.columns, columns_of_set | columns)
