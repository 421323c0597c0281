"""Runs the cells of a plan: one pass over the data feeds every cell that shares it."""

import dataclasses
import functools
import itertools
import threading
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
  hosts,
  interrupt,
  journal,
  judge,
  leases,
  models,
  perturbations,
  records,
  share,
  transfer,
  unreadable,
)
from jaxbench import plan as planning
from jaxbench.plan import Cell
from jaxbench.progress import Progress
from jaxbench.provenance import describe_run, describe_session

_FLUSH_SECONDS = 5.0  # Finished cells wait so long, at most, before they are written.
_POLL_SECONDS = 5.0  # Between two looks at what other hosts have left.


def run(
  settings: config.Config,
  plan: planning.Plan,
  workdir: epath.PathLike,
  workers: int = 0,
  cache: epath.PathLike | None = None,
  host: hosts.Host = hosts.Host(),  # noqa: B008 -- A tuple of numbers.
) -> None:
  """Computes the rows of `plan` that `workdir` lacks, beside any other hosts; returns when all do.

  Args:
    settings: as `plan.checked` returns them.
    plan: of these settings.
    workdir: a new folder, or one that holds a part of this run.
    workers: processes that decode images; 0 is threads of this one.
    cache: folder of decoded images that runs share; None decodes all.
    host: where this process begins; others may work on the same folder.

  Raises:
    InputError: the folder belongs to another configuration or cannot be written, the cache cannot,
      or more images cannot be read than the settings allow.
    Interrupted: SIGTERM or Ctrl-C; every finished cell has been written.
  """
  described = describe_run(settings, plan)
  store = records.Store(workdir, described)
  shown = {name: described[name] for name in ("published", "flip_reference")}
  if shown != {name: store.run.get(name) for name in shown}:
    store.save(store.run | shown)
  with leases.Leases(store.workdir) as held:
    work = _Work(settings, plan, store, workers, cache, held, host)
    if work.finished == work.total:
      return
    store.retry(lambda session: not held.lives(session))
    work.save_session(over=False)
    with interrupt.listen(work.abandon) as request:
      try:
        work.run(request)
      finally:
        work.progress.close()
        work.save_session(over=True)


class _Work:
  """What one process has to do on a run, and what it has not written yet."""

  def __init__(
    self,
    settings: config.Config,
    plan: planning.Plan,
    store: records.Store,
    workers: int,
    cache: epath.PathLike | None,
    held: leases.Leases,
    host: hosts.Host,
  ):
    self.absent: list[dict[str, str]] = []
    self.warnings: list[dict[str, str]] = []
    self._settings, self._plan, self._store = settings, plan, store
    self._workers, self._cache, self._leases = workers, cache, held
    self._session = {**describe_session(), "host": dataclasses.asdict(host)}
    self._started = self._written = time.monotonic()
    self._model = functools.cache(lambda name: devices.replicate(models.load(name)))
    self._waiting: list[pa.Table] = []
    self._block: tuple[str, int] | None = None  # Of which rows are waiting.
    self._writing = threading.Lock()
    self._journal = journal.Journal(store.workdir, held.holder)
    self._share = share.Share(plan, settings.block, store, held, host, self._skip)
    self.total = sum(cell.passes for cell in plan.cells)
    cells = {cell.id: cell for cell in plan.cells}
    done = self._share.done
    self.finished = sum(_cost(cells[cell]) * len(ids) for (cell, _, _), ids in done.items())

  @functools.cached_property
  def progress(self) -> Progress:
    """In planned passes, which tell the time left better than cells do."""
    return Progress(self.total, self.finished, "pass")

  def run(self, request: interrupt.Request) -> None:
    """Works on what is left until nothing is, waiting for other hosts in the end.

    Raises:
      InputError: too many images cannot be read.
      Interrupted: a signal has come.
    """
    while names := self._share.unfinished():
      worked = [self._run_data(name, request) for name in names]
      if not any(worked):
        self.progress.show("waiting for other hosts; lost ones are replaced after 2 minutes")
        request.obey()
        with self._journal.spend("waiting"):
          time.sleep(_POLL_SECONDS)

  def save_session(self, *, over: bool) -> None:
    """Writes what this process says of itself; its seconds when it is over."""
    seconds = round(time.monotonic() - self._started, 1) if over else None
    found = {"absent": self.absent, "warnings": self.warnings, "seconds": seconds}
    self._store.save_session(self._leases.holder, self._session | found)

  def abandon(self) -> None:
    """Writes the rows of finished cells, in a moment when the main thread is busy elsewhere."""
    self._flush()
    self.save_session(over=True)
    self._leases.release()

  def _skip(self, cells: list[tuple[Cell, int]]) -> None:
    """Counts what other hosts have done: so many examples of each cell."""
    self.progress.update(sum(_cost(cell) * examples for cell, examples in cells))

  def _run_data(self, name: str, request: interrupt.Request) -> bool:
    """Runs all cells of the blocks of one data set that can be leased; whether there were any."""
    taken = self._share.take(name)
    if not taken:
      return False
    source = data.load(name, self._settings.data_root)
    if short := data.shortfall(name, source):
      warning = {"what": name, "name": "incomplete", "detail": short}
      self.warnings += [warning] * (warning not in self.warnings)
    judging = judge.Judge(self._settings, data.label_space(source), self._model)
    order = data.sample(source, self._settings.limit, self._settings.subset)
    size = self._settings.block
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    lost = unreadable.Lost(self._settings, name, len(order), self._store.unreadable(name))
    while taken:
      streams = self._streams(source, parts, taken)
      for number, cells in taken.items():
        ours = True
        for preprocess in dict.fromkeys(cell.preprocess for cell in cells):
          same = [cell for cell in cells if cell.preprocess == preprocess]
          with self._journal.spend("decoding"):  # Of a lost block too: streams keep in step.
            block, missing = next(streams[preprocess])
          lost.add(missing)
          ours = ours and self._run_cells(judging, same, block, missing, number, request)
        if ours:
          self._share.finish(name, number)
          passes = sum(_cost(cell) * len(parts[number]) for cell in cells)
          self._journal.add(name, number, passes, judging.tally.occupancy)
      taken = self._share.take(name)
    return True

  def _run_cells(
    self,
    judging: judge.Judge,
    cells: list[Cell],
    block: blocks.Block,
    missing: blocks.Unreadable,
    number: int,
    request: interrupt.Request,
  ) -> bool:
    """Writes the rows of cells on one block; False if another host has taken it over.

    Raises:
      Interrupted: a signal has come.
    """
    self._block = cells[0].data, number
    self._write_off(cells, missing, number)
    try:
      for table in self._run_block(judging, cells, block, number):
        with self._writing:
          self._waiting.append(table)
        if request.number is not None:
          break
        if time.monotonic() - self._written > _FLUSH_SECONDS:
          self._flush()
      self._flush()
    except leases.Lost:
      return False
    self.warnings += [found for found in judging.warnings if found not in self.warnings]
    request.obey()
    return True

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
      rows = unreadable.rows(cell, missing, self._done(cell, number))
      if len(rows):
        self._waiting.append(rows)
        self.progress.update(_cost(cell) * len(rows))

  def _done(self, cell: Cell, number: int) -> set[str]:
    """Examples of a block that had rows when it was leased."""
    return self._share.done.get((cell.id, cell.data, number), set())

  def _flush(self) -> None:
    """Writes what is waiting.

    Raises:
      Lost: its block is another host's by now.
    """
    with self._writing:
      waiting, self._waiting, self._written = self._waiting, [], time.monotonic()
      if waiting and self._block:
        self._share.keep(*self._block)
        with self._journal.spend("writing"):
          self._store.write(*self._block, waiting)

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
        done = self._done(cell, number)
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
    written = {cell: self._done(cell, number) for cell in cells}
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
