"""Runs the cells of a plan: one pass over the data feeds every cell that shares it."""

import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from etils import epath

from jaxbench import block as blocks
from jaxbench import (
  config,
  data,
  devices,
  errors,
  frames,
  interrupt,
  judge,
  models,
  perturbations,
  records,
  transfer,
  unreadable,
)
from jaxbench import plan as planning
from jaxbench.plan import Cell
from jaxbench.progress import Progress
from jaxbench.provenance import describe_run, describe_session

_FLUSH_SECONDS = 5.0  # Finished cells wait so long, at most, before they are written.


def run(
  settings: config.Config,
  plan: planning.Plan,
  workdir: epath.PathLike,
  workers: int = 0,
  cache: epath.PathLike | None = None,
) -> None:
  """Computes the rows of `plan` that `workdir` lacks.

  Args:
    settings: as `plan.checked` returns them.
    plan: of these settings.
    workdir: a new folder, or one that holds a part of this run.
    workers: processes that decode images; 0 is threads of this one.
    cache: folder of decoded images that runs share; None decodes all.

  Raises:
    InputError: the folder belongs to another configuration or cannot be written, the cache cannot,
      or more images cannot be read than the settings allow.
    Interrupted: SIGTERM or Ctrl-C; every finished cell has been written.
  """
  described = describe_run(settings, plan)
  store = records.Store(workdir, described)
  work = _Work(settings, plan, store, workers, cache)
  if work.finished == work.total:
    return
  told_anew = ("identity", "data", "cells", "published", "flip_reference", "error_reference")
  store.run |= {name: described[name] for name in told_anew}
  session, started = describe_session(), time.monotonic()
  earlier = store.run["sessions"]
  store.save({**store.run, "sessions": [*earlier, session]})
  try:
    with interrupt.listen() as request:
      for name in plan.data:
        work.run_data(name, request)
  finally:
    work.progress.close()
    session = {**session, "seconds": round(time.monotonic() - started, 1)}
    found = {"absent": work.absent, "warnings": work.warnings}
    store.save({**store.run, **found, "sessions": [*earlier, session]})


class _Work:
  """What one process has to do on a run, and what it has not written yet."""

  def __init__(
    self,
    settings: config.Config,
    plan: planning.Plan,
    store: records.Store,
    workers: int,
    cache: epath.PathLike | None,
  ):
    self.absent = [absent._asdict() for absent in plan.absent]
    self.warnings: list[dict[str, str]] = list(store.run.get("warnings", []))
    self._settings, self._plan, self._store = settings, plan, store
    self._workers, self._cache = workers, cache
    self._done = store.done()
    self._model = functools.cache(lambda name: devices.replicate(models.load(name)))
    self._waiting: list[pa.Table] = []
    self._written = time.monotonic()
    self.total = sum(cell.passes for cell in plan.cells)
    cells = {cell.id: cell for cell in plan.cells}
    self.finished = sum(_cost(cells[cell]) * len(ids) for (cell, _, _), ids in self._done.items())

  @functools.cached_property
  def progress(self) -> Progress:
    """In planned passes, which tell the time left better than cells do."""
    return Progress(self.total, self.finished, "pass")

  def run_data(self, name: str, request: interrupt.Request) -> None:
    """Runs all cells of one data set, block by block.

    Raises:
      InputError: too many images cannot be read.
      Interrupted: a signal has come.
    """
    source = data.load(name, self._settings.data_root)
    if short := data.shortfall(name, source):
      warning = {"what": name, "name": "incomplete", "detail": short}
      self.warnings += [warning] * (warning not in self.warnings)
    judging = judge.Judge(self._settings, data.label_space(source), self._model)
    order = data.sample(source, self._settings.limit, self._settings.subset)
    size = self._settings.block
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    pending = {number: self._pending(name, number, len(part)) for number, part in enumerate(parts)}
    streams = self._streams(source, parts, pending)
    lost = unreadable.Lost(self._settings, name, len(order), self._store.unreadable(name))
    for number, cells in pending.items():
      for preprocess in dict.fromkeys(cell.preprocess for cell in cells):
        same = [cell for cell in cells if cell.preprocess == preprocess]
        block, missing = next(streams[preprocess])
        lost.add(missing)
        self._write_off(same, missing, number)
        for table in self._run_block(judging, same, block, number):
          self._waiting.append(table)
          if request.number is not None:
            break
          if time.monotonic() - self._written > _FLUSH_SECONDS:
            self._flush(name, number)
        self._flush(name, number)
        self.warnings += [found for found in judging.warnings if found not in self.warnings]
        request.obey()

  def _pending(self, name: str, number: int, examples: int) -> list[Cell]:
    """The cells of a data set that lack rows of one block."""
    cells = [cell for cell in self._plan.cells if cell.data == name]
    return [cell for cell in cells if len(self._done[cell.id, name, number]) < examples]

  def _streams(
    self, source: data.Source, parts: list[list[int]], pending: dict[int, list[Cell]]
  ) -> dict[models.Preprocess, Iterator[tuple[blocks.Block, blocks.Unreadable]]]:
    """The blocks that have pending cells, once for each preprocessing."""
    wanted: dict[models.Preprocess, list[int]] = {}
    for number, cells in pending.items():
      for preprocess in dict.fromkeys(cell.preprocess for cell in cells):
        wanted.setdefault(preprocess, []).append(number)
    gallery, size = self._settings.gallery, self._settings.block
    return {
      preprocess: blocks.stream(
        source,
        [parts[number] for number in numbers],
        preprocess,
        [max(0, gallery - number * size) for number in numbers],
        self._workers,
        self._cache,
      )
      for preprocess, numbers in wanted.items()
    }

  def _write_off(self, cells: list[Cell], missing: blocks.Unreadable, number: int) -> None:
    """Rows that say why there is no verdict, where they are not written yet."""
    for cell in cells:
      rows = unreadable.rows(cell, missing, self._done[cell.id, cell.data, number])
      if len(rows):
        self._waiting.append(rows)
        self.progress.update(_cost(cell) * len(rows))

  def _flush(self, name: str, number: int) -> None:
    if self._waiting:
      self._store.write(name, number, self._waiting)
    self._waiting, self._written = [], time.monotonic()

  def _run_block(
    self, judging: judge.Judge, cells: list[Cell], block: blocks.Block, number: int
  ) -> Iterator[pa.Table]:
    """Rows of each cell, as soon as they are known."""
    if not block.ids:
      return
    one_each = {(cell.model, cell.prompts): cell for cell in reversed(cells)}
    self.progress.show("clean images")
    clean: dict[Any, judge.Columns] = {}
    for size, alike in _by(lambda cell: cell.size, one_each.values()):
      judged = judging.clean(alike, block.centre(size))
      clean |= {(cell.model, cell.prompts): columns for cell, columns in judged.items()}
    usable = [cell for cell in cells if self._vetted(cell, clean[cell.model, cell.prompts])]
    for _, group in _by(lambda cell: (cell.perturbation, cell.setting, cell.size), usable):
      for cell, rows, columns in self._judged(judging, group, block, clean, number):
        prediction = clean[cell.model, cell.prompts]["prediction"][rows]
        yield _rows(cell, block.at(rows), columns | {"clean_prediction": prediction})
        self.progress.update(_cost(cell) * len(rows))

  def _judged(
    self,
    judging: judge.Judge,
    cells: list[Cell],
    block: blocks.Block,
    clean: dict[Any, judge.Columns],
    number: int,
  ) -> Iterator[tuple[Cell, np.ndarray, judge.Columns]]:
    """Rows of the block and their columns, for cells that share one perturbation."""
    first, everything = cells[0], np.arange(len(block.ids))
    if first.perturbation == perturbations.CLEAN:
      yield from ((cell, everything, clean[cell.model, cell.prompts]) for cell in cells)
    elif first.surrogate is not None and first.tolerance is None:
      self.progress.show(f"{first.perturbation} {first.setting}")
      yield from self._transferred(judging, cells, block, clean, number)
    elif first.attack is None:
      self.progress.show(f"{first.perturbation} {first.setting}".strip())
      for cell, columns in self._shown(judging, cells, block).items():
        yield cell, everything, columns
    else:
      for cell in cells:
        self.progress.show(f"{cell.perturbation} {cell.setting} on {cell.model}")
        done = self._done[cell.id, cell.data, number]
        left = np.array([row for row in everything if block.ids[row] not in done], int)
        known = clean[cell.model, cell.prompts]["prediction"][left]
        for rows, columns in self._attacked(judging, cell, block.at(left), known):
          yield cell, left[rows], columns

  def _attacked(
    self, judging: judge.Judge, cell: Cell, block: blocks.Block, clean: np.ndarray
  ) -> Iterator[tuple[np.ndarray, judge.Columns]]:
    """Rows of the block and their columns, for a cell that shares its images with no other."""
    if cell.surrogate is None:
      yield from judging.attacked(cell, block, clean)
      return
    try:
      yield transfer.bisected(judging, cell, block, clean)
    except errors.InputError as error:
      self._give_up([cell], error)
    else:
      wrong = np.flatnonzero(clean != block.labels)
      yield wrong, judge.untouched(block, clean, wrong)

  def _transferred(
    self,
    judging: judge.Judge,
    cells: list[Cell],
    block: blocks.Block,
    clean: dict[Any, judge.Columns],
    number: int,
  ) -> Iterator[tuple[Cell, np.ndarray, judge.Columns]]:
    """Rows that are not written yet; no image is made again that no cell needs."""
    written = {cell: self._done[cell.id, cell.data, number] for cell in cells}
    lacking = {cell: np.array([name not in written[cell] for name in block.ids]) for cell in cells}
    left = np.flatnonzero(np.any(list(lacking.values()), axis=0))
    known = {cell: clean[cell.model, cell.prompts]["prediction"][left] for cell in cells}
    try:
      for cell, some, columns in transfer.attacked(judging, cells, block.at(left), known):
        rows = left[some]
        keep = np.flatnonzero(lacking[cell][rows])
        if len(keep):
          fresh = {name: [column[i] for i in keep] for name, column in columns.items()}
          yield cell, rows[keep], fresh
    except errors.InputError as error:
      self._give_up(cells, error)

  def _shown(
    self, judging: judge.Judge, cells: list[Cell], block: blocks.Block
  ) -> dict[Cell, judge.Columns]:
    """Predictions on images that are made for all models; cells become absent where they cannot."""
    if cells[0].severity is not None:
      return judging.corrupted(cells, block)
    if cells[0].sequence is not None:
      return frames.judged(judging, cells, block)
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

  def _vetted(self, cell: Cell, clean: judge.Columns) -> bool:
    """Whether the classifier's clean logits are numbers; if not, its cells are absent."""
    broken = (clean["prediction"] == judge.NOT_FINITE).sum()
    if broken:
      reason = f"its logits are not finite on {broken} of {len(clean['prediction'])} clean images"
      self.absent.append({"what": cell.id, "reason": reason})
    return not broken


def _by(key: Callable[[Cell], Any], cells: Iterable[Cell]) -> Iterator[tuple[Any, list[Cell]]]:
  """Cells by what they share, those that stand together."""
  for shared, group in itertools.groupby(cells, key):
    yield shared, list(group)


def _cost(cell: Cell) -> int:
  """Passes for one example."""
  return cell.passes // cell.examples


def _rows(cell: Cell, block: blocks.Block, columns: judge.Columns) -> pa.Table:
  """The rows of one cell on one block."""
  known = data.columns(block.source, block.indices)
  known |= {"example": block.ids, "label": block.labels}
  return records.table(cell.columns, known | columns)
