"""The folder of a run, as its processes write it."""

import collections
import contextlib
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from jaxbench import errors
from jaxbench.records import description, parts, rows, schema
from jaxbench.storage import atomic, damage, parquet

_KEYS = ("cell", "example")
# What a run that has lost its description may have left.
_OWN = {
  "records",
  "sessions",
  "leases",
  "logs",
  "heads",
  "report.html",
  damage.FOLDER,
  description.SLOTS,
}


class Store:
  """The folder of one run. What is damaged there is set aside, and made anew.

  Raises:
    InputError: the folder belongs to another configuration or to something else, or cannot be
      written; nothing in it is touched.
  """

  def __init__(self, workdir: epath.PathLike, run: Mapping[str, Any]):
    self.workdir = epath.Path(workdir)
    try:
      self.run = self._open(run)
      self._mend()
    except OSError as error:
      reason = error.strerror or error
      raise errors.InputError(f"--workdir={workdir} cannot be used: {reason}") from error

  def _open(self, run: Mapping[str, Any]) -> dict[str, Any]:
    before = self._described(run)
    wanted = json.loads(description.encoded(run))  # As JSON gives it back.
    wanted["identity"] = description.settled(before["identity"], wanted["identity"])
    if differences := description.unlike(before["identity"], wanted["identity"]):
      raise errors.InputError(
        f"--workdir={self.workdir} belongs to another configuration: {'; '.join(differences[:3])}. "
        "Name another --workdir, or ask for the same again to continue it"
      )
    for name in ("records", "sessions"):
      (self.workdir / name).mkdir(parents=True, exist_ok=True)
    if (joined := before | wanted) != before:
      atomic.write(self.workdir / description.FILE, description.encoded(joined))
    return joined

  def _described(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the folder's run.json says, once it has one; other hosts may be beginning it too."""
    broken = None
    try:
      content = description.described(self.workdir)
    except damage.Damaged as error:
      content, broken = None, error
    if content is None:
      self._require_own(run)
      if broken:
        damage.set_aside(self.workdir, broken, "it is written anew, its rows are those asked for")
      self.workdir.mkdir(parents=True, exist_ok=True)
      atomic.write(self.workdir / description.FILE, description.encoded(run))
    return content or description.described(self.workdir) or run

  def _require_own(self, run: Mapping[str, Any]) -> None:
    """Raises InputError if a folder without a description has more than rows of this run."""
    names = {file.name for file in self.workdir.iterdir()} if self.workdir.exists() else set()
    rest = {name for name in names if not _is_description(name)}
    cells = self._cells()
    lost = bool(parts.files(self.workdir)) and not cells
    if not rest <= _OWN or (rest and "records" not in rest) or lost:
      raise errors.InputError(f"--workdir={self.workdir} holds something else; name a new folder")
    if others := cells - {cell["id"] for cell in run.get("cells", ())}:
      raise errors.InputError(
        f"--workdir={self.workdir} has lost its {description.FILE}, and has rows of cells that are "
        f"not asked for, as {min(others)}: ask for the same again, or name another --workdir"
      )

  def _cells(self) -> set[str]:
    """Those of all parts that can be read."""
    cells: set[str] = set()
    for part in parts.files(self.workdir):
      with contextlib.suppress(damage.Damaged):
        cells.update(parts.read(part, ["cell"])["cell"].unique().to_pylist())
    return cells

  def _mend(self) -> None:
    """Sets aside what processes have said and nobody understands."""
    for file in description.session_files(self.workdir):
      try:
        description.session(file)
      except damage.Damaged as error:
        damage.set_aside(self.workdir, error, "the report will not tell of this session")
    try:
      self.slots()
    except damage.Damaged as error:
      damage.set_aside(self.workdir, error, "they are settled anew")

  def save_session(self, name: str, session: Mapping[str, Any]) -> None:
    """Replaces what one process says of itself, of what it gave up, and of its warnings."""
    atomic.write(self.workdir / "sessions" / f"{name}.json", description.encoded(session))

  def slots(self) -> int | None:
    """Slots on each device that the run's processes have settled on, if they had to."""
    return description.slots(self.workdir)

  def settle(self, slots: int) -> int:
    """Says how many slots are taken, or hears it from whoever has said so before."""
    atomic.create(self.workdir / description.SLOTS, description.encoded(slots))
    return self.slots() or slots

  def lower(self, slots: int) -> None:
    """Says that no more slots than these have fitted after all."""
    atomic.write(self.workdir / description.SLOTS, description.encoded(slots))

  def retry(self, over: Callable[[str], bool]) -> None:
    """Forgets what sessions gave up that are over; it is tried again."""
    for name, session in description.sessions(self.workdir).items():
      if session.get("absent") and over(name):
        self.save_session(name, {**session, "absent": []})

  def done(self, data: str = "", block: int | None = None) -> dict[tuple[str, str, int], set[str]]:
    """Examples that have a row already, by cell, data set and block; of one block, if it is named.

    Looks into the folder each time: other hosts may have written there. Damaged parts are set
    aside.
    """
    start = "" if block is None else parts.prefix(data, block)
    result: dict[tuple[str, str, int], set[str]] = collections.defaultdict(set)
    for part in parts.files(self.workdir, start):
      try:
        name, number = parts.place(part)
        written = parts.read(part, schema.SCHEMA.names)  # All, so that damage shows here.
      except damage.Damaged as error:
        damage.set_aside(self.workdir, error, "its cells are run again")
        continue
      except FileNotFoundError:  # Another host has just set it aside.
        continue
      for cell, example in zip(*(written[key].to_pylist() for key in _KEYS), strict=True):
        result[cell, name, number].add(example)
    return result

  def unreadable(self, data: str) -> list[str]:
    """Ids of the examples of a data set that are known to be unreadable."""
    if not parts.files(self.workdir):
      return []
    lost = rows.unreadable(self.workdir)
    return lost.filter(pc.equal(lost["data"], data))["example"].to_pylist()

  def write(self, data: str, block: int, tables: list[pa.Table]) -> None:
    """Writes rows of one block as one part."""
    name = f"{parts.prefix(data, block)}{uuid.uuid4().hex[:12]}.parquet"
    parquet.write(self.workdir / "records" / name, pa.concat_tables(tables).unify_dictionaries())


def _is_description(name: str) -> bool:
  """Whether it is run.json, or one that another host is writing."""
  return name == description.FILE or name.startswith(f".{description.FILE}.")
