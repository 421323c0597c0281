"""The folder of a run, as its processes write it."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from jaxbench import errors
from jaxbench.records import arrays, compaction, description, parts, rows, schema, written
from jaxbench.records.written import Written
from jaxbench.storage import atomic, damage

_KEYS = {"cell": schema.NAME, "example": schema.NAME}  # Of a row; ids as numbers, of which are few.
# What a run that has lost its description may have left.
_OWN = {
  "records",
  "sessions",
  "leases",
  "logs",
  "heads",
  "galleries",
  "report.html",
  "report.json",
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
    joined = before | wanted
    # Another host may have said the same meanwhile; stores slow down who changes a file too often.
    if joined != before and joined != description.described(self.workdir):
      atomic.write(self.workdir / description.FILE, description.encoded(joined))
    return joined

  def _described(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the folder's run.json says; of the hosts that begin a run, one writes it."""
    try:
      content = description.described(self.workdir)
    except damage.Damaged as error:
      self._require_own(run)
      damage.set_aside(self.workdir, error, "it is written anew, its rows are those asked for")
      content = None
    return content or self._begin(run)

  def _begin(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
      self._require_own(run)
    except errors.InputError:
      # What is there may be of a host that has begun it meanwhile: run.json came first.
      if content := description.described(self.workdir):
        return content
      raise
    self.workdir.mkdir(parents=True, exist_ok=True)
    atomic.create(self.workdir / description.FILE, description.encoded(run), durable=True)
    return description.described(self.workdir) or run

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
    read = functools.partial(parts.read, names=["cell"])
    tables = parts.each(self.workdir, read, damaged=lambda _: None).values()
    return {cell for table in tables for cell in table["cell"].unique().to_pylist()}

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

  def counts(self) -> dict[tuple[str, int], Written]:
    """What is written of each block, by its data set and number; damaged parts are set aside."""
    blocks: dict[tuple[str, int], list[pa.Table]] = {}
    for file, table in self._tables("").items():
      blocks.setdefault(parts.place(file), []).append(table)
    return {place: written.count(tables) for place, tables in blocks.items()}

  def done(self, data: str, block: int) -> dict[str, set[str]]:
    """Examples of a block that have a row already, by cell; damaged parts are set aside.

    Looks into the folder each time: other hosts may have written there.
    """
    tables = self._tables(parts.prefix(data, block))
    return written.by_cell(tables.values()) if tables else {}

  def _tables(self, start: str) -> dict[epath.Path, pa.Table]:
    """The cells and examples of parts."""

    def set_aside(error: damage.Damaged) -> None:
      damage.set_aside(self.workdir, error, "its cells are run again")

    ids: dict[tuple[str, int], pa.Array] = {}
    return parts.each(self.workdir, functools.partial(_keys, ids), start, set_aside)

  def unreadable(self, data: str) -> list[str]:
    """Ids of the examples of a data set that are known to be unreadable."""
    if not parts.files(self.workdir):
      return []
    lost = rows.unreadable(self.workdir)
    return lost.filter(pc.equal(lost["data"], data))["example"].to_pylist()

  def compact(self, data: str, block: int) -> None:
    """Makes one part of those of a block that is finished."""
    compaction.compact(self.workdir, data, block)

  def write(self, data: str, block: int, tables: list[pa.Table]) -> None:
    """Writes rows of one block as one part."""
    parts.write(self.workdir, data, block, pa.concat_tables(tables).unify_dictionaries())


def _keys(ids: dict[tuple[str, int], pa.Array], file: epath.Path) -> pa.Table:
  """Cells and examples of a part.

  Of one that may be damaged every column is read, so that damage shows here. Parts of a block have
  mostly the same `ids`, which are kept once.
  """
  part = parts.opened(file)
  names = _KEYS if part.sound else schema.SCHEMA.names
  kinds = [(name, _KEYS.get(name, schema.SCHEMA.field(name).type)) for name in names]
  groups = [group.select(list(_KEYS)) for group in parts.groups(part, pa.schema(kinds))]
  table = pa.concat_tables([pa.schema(_KEYS.items()).empty_table(), *groups])
  examples = arrays.encoded(table["example"])
  same = ids.setdefault(parts.place(file), examples.dictionary)
  if examples.dictionary.equals(same):
    examples = pa.DictionaryArray.from_arrays(examples.indices, same)
  return pa.table({"cell": table["cell"], "example": examples})


def _is_description(name: str) -> bool:
  """Whether it is run.json, or one that another host is writing."""
  return name == description.FILE or name.startswith(f".{description.FILE}.")
