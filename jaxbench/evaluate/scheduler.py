"""What one host does of a run: blocks of examples that it has leased, few at a time."""

from collections.abc import Callable

from jaxbench import records
from jaxbench.distributed.hosts import Host
from jaxbench.distributed.leases import Leases
from jaxbench.plan import Cell, Plan
from jaxbench.records import parts


class Scheduler:
  """The blocks that are left to do; this process works on those that it can lease.

  Of what is left, a host takes half of its part at once: early on, long pieces that load the data
  in one go; at the end single blocks, so that hosts of any speed end together (guided
  self-scheduling; Polychronopoulos & Kuck, 1987). Each begins somewhere else.

  Args:
    plan: of the run.
    size: examples in a block.
    store: of the run's rows.
    leases: of this process.
    host: its place among the others.
    skipped: is told the cells of a block that another host has finished.
  """

  def __init__(
    self,
    plan: Plan,
    size: int,
    store: records.Store,
    leases: Leases,
    host: Host,
    skipped: Callable[[list[tuple[Cell, int]]], None],
  ):
    self._size, self._store = size, store
    self._leases, self._host, self._skipped = leases, host, skipped
    self._before = leases.finished()  # Of earlier sessions; if rows lack, they are tried again.
    self.written = store.counts()  # By data set and block, before this process began.
    self._rows = {place: block.rows for place, block in self.written.items()}  # Since then, too.
    self._done: dict[tuple[str, int], dict[str, set[str]]] = {}  # Of leased blocks.
    self._cells: dict[str, list[Cell]] = {}
    for cell in plan.cells:
      self._cells.setdefault(cell.data, []).append(cell)
    self._left = {
      name: [number for number in range(self._blocks(name)) if self._lacking(name, number)]
      for name in self._cells
    }

  def unfinished(self) -> list[str]:
    """Data sets with blocks that, as far as is known, lack rows."""
    self._forget_finished()
    return [name for name, left in self._left.items() if left]

  def take(self, data: str) -> dict[int, list[Cell]]:
    """Leases blocks of a data set; empty if none is free.

    Returns:
      The cells of each block that lack rows.
    """
    self._forget_finished()
    left = self._left[data]
    first = len(left) * self._host.index // self._host.count
    names = {parts.block_name(data, number): number for number in [*left[first:], *left[:first]]}
    most = len(left) if self._host.count == 1 else -(-len(left) // (2 * self._host.count))
    taken = {}
    for name in self._leases.take(names, most):
      number = names[name]
      # Whoever held it before may have written since.
      done = self._store.done(data, number)
      self._rows[data, number] = {cell: len(examples) for cell, examples in done.items()}
      if cells := self._lacking(data, number):
        lacking = {cell.id for cell in cells}
        self._done[data, number] = {name: done[name] for name in lacking & done.keys()}
        taken[number] = cells
      else:
        self.finish(data, number)
    return taken

  def done(self, cell: Cell, number: int) -> set[str]:
    """Examples of a leased block that had rows when it was leased."""
    return self._done[cell.data, number].get(cell.id, set())

  def keep(self, data: str, number: int) -> None:
    """Returns if the block is still this process's.

    Raises:
      LeaseLost: it is not.
    """
    self._leases.require(parts.block_name(data, number))

  def finish(self, data: str, number: int) -> None:
    """Says that no cell of a block will have more rows."""
    self._left[data].remove(number)
    self._done.pop((data, number), None)
    self._store.compact(data, number)
    self._leases.finish(parts.block_name(data, number))

  def _forget_finished(self) -> None:
    finished = self._leases.finished() - self._before
    for data, left in self._left.items():
      for number in [one for one in left if parts.block_name(data, one) in finished]:
        left.remove(number)
        examples = self._examples(data, number)
        cells = self._lacking(data, number)
        self._skipped([(cell, examples - self._count(cell, number)) for cell in cells])

  def _blocks(self, data: str) -> int:
    return -(-self._total(data) // self._size)

  def _total(self, data: str) -> int:
    return self._cells[data][0].examples

  def _examples(self, data: str, number: int) -> int:
    return min(self._size, self._total(data) - number * self._size)

  def _count(self, cell: Cell, number: int) -> int:
    return self._rows.get((cell.data, number), {}).get(cell.id, 0)

  def _lacking(self, data: str, number: int) -> list[Cell]:
    examples = self._examples(data, number)
    return [cell for cell in self._cells[data] if self._count(cell, number) < examples]
