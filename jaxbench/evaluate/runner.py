"""Runs the cells of a plan: one pass over the data feeds every cell that shares it."""

import collections
import dataclasses
import functools
import sys
import threading
import time
from collections.abc import Iterator

import pyarrow as pa
from absl import logging
from etils import epath

from jaxbench import blocks, config, data, models, records
from jaxbench.distributed import hosts, interrupt, leases
from jaxbench.evaluate import unreadable
from jaxbench.evaluate.evaluator import Evaluator
from jaxbench.evaluate.galleries import Galleries
from jaxbench.evaluate.heads import Heads
from jaxbench.evaluate.loaded import Loaded
from jaxbench.evaluate.provenance import describe_run, describe_session
from jaxbench.evaluate.rows import Rows, part
from jaxbench.evaluate.scheduler import Scheduler
from jaxbench.evaluate.slots import Slots
from jaxbench.plan import Cell, Plan
from jaxbench.records import kinds, logs
from jaxbench.telemetry import journal
from jaxbench.telemetry.profile import Trace
from jaxbench.telemetry.progress import Progress
from jaxbench.telemetry.time_left import Part, TimeLeft

_FLUSH_SECONDS = 5.0  # Finished cells wait so long, at most, before they are written.
_POLL_SECONDS = 5.0  # Between two looks at what other hosts have left.
# Kinds whose passes end where a model is fooled.
_EARLY = (
  *(kinds.ATTACK, kinds.TARGETED, kinds.SMALLEST),
  *(kinds.SMALLEST_TRANSFER, kinds.TEXT_ATTACK),
)

_Stream = Iterator[tuple[blocks.Block, blocks.Unreadable]]


def run(
  settings: config.Config,
  plan: Plan,
  workdir: epath.PathLike,
  workers: int = 0,
  cache: epath.PathLike | None = None,
  host: hosts.Host = hosts.Host(),  # noqa: B008 -- A tuple of numbers.
  profile: epath.PathLike | None = None,
  *,
  quiet: bool = False,
) -> None:
  """Computes the rows of `plan` that `workdir` lacks, beside any other hosts; returns when all do.

  Args:
    settings: as `config.checked` returns them.
    plan: of these settings.
    workdir: a new folder, or one that holds a part of this run.
    workers: processes that decode images; 0 is threads of this one.
    cache: folder of decoded images that runs share; None decodes all.
    host: where this process begins; others may work on the same folder.
    profile: folder for a trace of one block; None takes none.
    quiet: say nothing of the progress.

  Raises:
    InputError: the folder belongs to another configuration or cannot be written, the cache cannot,
      or more images cannot be read than the settings allow.
    Interrupted: SIGTERM or Ctrl-C; every finished cell has been written.
  """
  store = records.Store(workdir, describe_run(settings, plan))
  logs.mend(store.workdir)
  with leases.Leases(store.workdir) as held:
    traced = Trace(profile)
    work = Work(settings, plan, store, workers, cache, held, host, traced, quiet=quiet)
    if work.finished == work.total:
      return
    if work.finished and not quiet:
      there = f"{work.finished:,} of {work.total:,} passes are there"
      print(f"jaxbench: continues {store.workdir}: {there}", file=sys.stderr)
    store.retry(lambda session: not held.lives(session))
    work.save_session(over=False)
    with interrupt.listen(work.abandon) as request:
      try:
        work.run(request)
      finally:
        work.progress.close()
        work.save_session(over=True)
  if traced.lacking:
    logging.warning("no trace: no block followed another of its data set; lower --config.block")


class Work:
  """What one process has to do on a run, and what it has not written yet."""

  def __init__(
    self,
    settings: config.Config,
    plan: Plan,
    store: records.Store,
    workers: int,
    cache: epath.PathLike | None,
    held: leases.Leases,
    host: hosts.Host,
    traced: Trace,
    *,
    quiet: bool = False,
  ):
    self._quiet = quiet
    self.absent: list[dict[str, str]] = []
    self.warnings: list[dict[str, str]] = []
    self._settings, self._plan, self._store = settings, plan, store
    self._workers, self._cache, self._leases, self._trace = workers, cache, held, traced
    self._session = {**describe_session(), "host": dataclasses.asdict(host)}
    self._started = self._written = time.monotonic()
    self._slots = Slots(store, store.run["identity"]["config"]["slots"])
    galleries = Galleries(store.workdir, settings.block, workers, cache, host)
    self._loaded = Loaded(settings, self._slots, Heads(store.workdir), galleries)
    self._waiting: list[pa.Table] = []
    self._block: tuple[str, int] | None = None  # Of which rows are waiting.
    self._writing = threading.Lock()
    self._journal = journal.Journal(store.workdir, held.holder)
    self._scheduler = Scheduler(plan, settings.block, store, held, host, self._skip)
    self.total = sum(cell.passes for cell in plan.cells)
    cells = {cell.id: cell for cell in plan.cells}
    rows = [entry for block in self._scheduler.written.values() for entry in block.rows.items()]
    self._before = [(cells[cell], cells[cell].cost * some) for cell, some in rows if cell in cells]
    self.finished = sum(passes for _, passes in self._before)
    if others := {cell for cell, _ in rows} - cells.keys():
      print(
        f"jaxbench: {store.workdir} has rows of {len(others)} cells that are not asked for, as "
        f"{min(others)}: they are in no figure",
        file=sys.stderr,
      )

  @functools.cached_property
  def progress(self) -> Progress:
    """In planned passes, which tell the time left better than cells do."""
    planned: dict[Part, int] = collections.defaultdict(int)
    for cell in self._plan.cells:
      planned[part(cell)] += cell.passes
    left = TimeLeft(planned, _EARLY)
    for cell, passes in self._before:
      left.skip(part(cell), passes)
    return Progress(self.total, self.finished, "pass", left, silent=self._quiet)

  def run(self, request: interrupt.Request) -> None:
    """Works on what is left until nothing is, waiting for other hosts in the end.

    Raises:
      InputError: too many images cannot be read.
      Interrupted: a signal has come.
    """
    self.begin()
    while names := self._scheduler.unfinished():
      worked = [self.run_data(name, request) for name in names]
      if not any(worked):
        self.progress.show("waiting for other hosts; lost ones are replaced after 2 minutes")
        with self._journal.spend("waiting"), request.waiting():
          time.sleep(_POLL_SECONDS)

  def begin(self) -> None:
    """Settles the slots, if nobody has, and says that this process is at work."""
    self._slots.settle(lambda: self._loaded.fastest(self._plan))
    self.save_session(over=False)

  def save_session(self, *, over: bool) -> None:
    """Writes what this process says of itself; its seconds and its log when it is over."""
    seconds = round(time.monotonic() - self._started, 1) if over else None
    session = self._session | {
      "absent": self.absent,
      "warnings": [*self.warnings, *self._slots.warnings],
      "seconds": seconds,
      "slots": self._slots.count or None,  # None: not settled yet.
    }
    self._store.save_session(self._leases.holder, session)
    if over:
      self._journal.save()

  def abandon(self) -> None:
    """Writes the rows of finished cells, in a moment when the main thread is busy elsewhere."""
    self._flush()
    self.save_session(over=True)
    self._leases.release()

  def _skip(self, cells: list[tuple[Cell, int]]) -> None:
    """Counts what other hosts have done: so many examples of each cell."""
    for cell, examples in cells:
      self.progress.skip(cell.cost * examples, part(cell))

  def run_data(self, name: str, request: interrupt.Request) -> bool:
    """Runs all cells of the blocks of one data set that can be leased; whether there were any."""
    taken = self._scheduler.take(name)
    if not taken:
      return False
    source, evaluator = self._loaded.source(name), self._loaded.evaluator(name)
    if short := data.shortfall(name, source):
      warning = {"what": name, "name": "incomplete", "detail": short}
      self.warnings += [warning] * (warning not in self.warnings)
    parts = self._parts(name, source)
    examples = sum(map(len, parts))
    lost = unreadable.Lost(self._settings, name, examples, self._store.unreadable(name))
    first = True
    while taken:
      streams = self._streams(source, parts, taken)
      for number, cells in taken.items():
        with self._trace.block(first=first):
          ours = self._run_block(evaluator, cells, streams, number, lost, request)
        first = False
        if ours:
          with self._journal.spend("writing"):
            self._scheduler.finish(name, number)
          passes = sum(cell.cost * len(parts[number]) for cell in cells)
          occupancy = self._loaded.tally.occupancy
          self._journal.add(name, number, passes, self._slots.count, occupancy)
      taken = self._scheduler.take(name)
    return True

  def _parts(self, name: str, source: data.Source) -> list[list[int]]:
    """The blocks of a data set, cut as those that have rows already."""
    order = data.sample(source, self._settings.limit, config.subset_on(self._settings, name))
    size = self._settings.block
    parts = data.blocks(source, order, size)
    ids = [{source.ids[index] for index in part} for part in parts]
    written = self._scheduler.written
    if all(block.examples <= ids[number] for (of, number), block in written.items() if of == name):
      return parts
    return [order[start : start + size] for start in range(0, len(order), size)]

  def _run_block(
    self,
    evaluator: Evaluator,
    cells: list[Cell],
    streams: dict[models.Preprocess, _Stream],
    number: int,
    lost: unreadable.Lost,
    request: interrupt.Request,
  ) -> bool:
    """Writes the rows of all cells on one block; False if another host has taken it over."""
    ours = True
    for preprocess in dict.fromkeys(cell.preprocess for cell in cells):
      same = [cell for cell in cells if cell.preprocess == preprocess]
      # Of a lost block too: streams keep in step.
      with self._journal.spend("decoding"), request.waiting():
        block, missing = next(streams[preprocess])
      lost.add(missing)
      ours = ours and self._run_cells(evaluator, same, block, missing, number, request)
    return ours

  def _run_cells(
    self,
    evaluator: Evaluator,
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
    done = functools.partial(self._scheduler.done, number=number)
    rows = Rows(evaluator, self._slots, block, done, self.progress)
    try:
      for table in rows.of(cells):
        with self._writing:
          self._waiting.append(table)
        if request.number is not None:
          break
        if time.monotonic() - self._written > _FLUSH_SECONDS:
          self._flush()
      self._flush()
    except leases.LeaseLost:
      return False
    finally:
      self.absent += [one for one in rows.absent if one not in self.absent]
    self.warnings += [one for one in evaluator.warnings if one not in self.warnings]
    request.obey()
    return True

  def _streams(
    self, source: data.Source, parts: list[list[int]], pending: dict[int, list[Cell]]
  ) -> dict[models.Preprocess, _Stream]:
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
      rows = unreadable.rows(cell, missing, self._scheduler.done(cell, number))
      if len(rows):
        self._waiting.append(rows)
        self.progress.skip(cell.cost * len(rows), part(cell))

  def _flush(self) -> None:
    """Writes what is waiting.

    Raises:
      LeaseLost: its block is another host's by now.
    """
    with self._writing:
      waiting, self._waiting, self._written = self._waiting, [], time.monotonic()
      if waiting and self._block:
        self._scheduler.keep(*self._block)
        with self._journal.spend("writing"):
          self._store.write(*self._block, waiting)
