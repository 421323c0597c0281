"""Rows of single blocks, as an engine that places and retries work asks for them."""

from collections.abc import Iterable

from etils import epath

from jaxbench import config, records
from jaxbench.distributed import hosts, interrupt, leases
from jaxbench.evaluate import runner
from jaxbench.evaluate.provenance import describe_run
from jaxbench.plan import Plan
from jaxbench.records import parts
from jaxbench.telemetry.profile import Trace


def blocks(settings: config.Config, plan: Plan) -> list[tuple[str, int]]:
  """Data set and number of every block of a run."""
  examples = {cell.data: cell.examples for cell in plan.cells}
  return [
    (name, number)
    for name, count in examples.items()
    for number in range(-(-count // settings.block))
  ]


class Piecework:
  """One process's part of a run, of which somebody else says what it is.

  Nothing is leased: no two processes should be given one block at a time, and whoever gives it asks
  again if the process dies. Rows are those of `runner.run`, and so is the folder; who gives the
  blocks tells how far they are.

  Args:
    settings: as `config.checked` returns them.
    plan: of these settings.
    workdir: of the run; the same for all processes.
    workers: processes that decode images; 0 is threads of this one.
    cache: folder of decoded images that runs share; None decodes all.

  Raises:
    InputError: the folder belongs to another configuration or cannot be written.
  """

  def __init__(
    self,
    settings: config.Config,
    plan: Plan,
    workdir: epath.PathLike,
    workers: int = 0,
    cache: epath.PathLike | None = None,
  ):
    store = records.Store(workdir, describe_run(settings, plan))
    self._given = _Given(store.workdir)
    host, trace = hosts.Host(), Trace(None)
    self._work = runner.Work(
      settings, plan, store, workers, cache, self._given, host, trace, quiet=True
    )
    self._work.begin()

  def run(self, data: str, number: int) -> None:
    """Writes the rows that a block lacks.

    Raises:
      InputError: more images cannot be read than the settings allow.
      OSError: the rows could not be written.
    """
    self._given.name = parts.block_name(data, number)
    self._work.run_data(data, interrupt.Request())
    self._work.save_session(over=True)


class _Given(leases.Leases):
  """A block that is this process's because it was given; no file says so."""

  name = ""

  def take(self, names: Iterable[str], most: int) -> list[str]:
    return [name for name in names if name == self.name]

  def require(self, name: str) -> None:
    pass

  def finish(self, name: str) -> None:
    self.name = ""

  def finished(self) -> set[str]:
    return set()
