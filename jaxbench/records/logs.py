"""What the processes of a run did with their time: a JSON line for each block they have finished.

Each process has a file of its own, `logs/NAME.jsonl` in the run's folder; `telemetry.journal` says
what is in a line.
"""

from typing import Any

from etils import epath

from jaxbench.storage import atomic, damage

# All that a block's seconds are made of.
PARTS = ("waiting", "decoding", "writing", "compiling", "device", "host")


def file(workdir: epath.Path, name: str) -> epath.Path:
  """The log of the process of that name."""
  return workdir / "logs" / f"{name}.jsonl"


def read(workdir: epath.PathLike) -> list[dict[str, Any]]:
  """The lines of all processes of a run, each with its `session`; by time.

  Raises:
    Damaged: a log holds something else.
  """
  lines = [line for log in _files(epath.Path(workdir)) for line in _lines(log)]
  return sorted(lines, key=lambda line: line["time"])


def mend(workdir: epath.Path) -> None:
  """Sets damaged logs aside."""
  for log in _files(workdir):
    try:
      _lines(log)
    except damage.Damaged as error:
      damage.set_aside(workdir, error, "the report will not tell how its time was spent")


def _files(workdir: epath.Path) -> list[epath.Path]:
  folder = workdir / "logs"
  names = [name for name in atomic.listing(folder) if name.endswith(".jsonl")]
  return [folder / name for name in sorted(names) if not name.startswith(".")]


def _lines(log: epath.Path) -> list[dict[str, Any]]:
  """Raises Damaged if they are none."""
  session = log.name.removesuffix(".jsonl")
  needed: dict[str, type] = dict.fromkeys(("time", "seconds", "occupancy"), float)
  return [
    damage.parsed(log, line, **needed) | {"session": session}
    for line in (atomic.read(log) or b"").splitlines()
  ]
