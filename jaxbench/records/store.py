"""The folder of a run, as its processes write it."""

import collections
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from jaxbench import errors, parquet, whole
from jaxbench.records import description, parts, rows


class Store:
  """The folder of one run.

  Raises:
    InputError: the folder belongs to another configuration or to something else, or cannot be
      written; nothing in it is touched.
  """

  def __init__(self, workdir: epath.PathLike, run: Mapping[str, Any]):
    self.workdir = epath.Path(workdir)
    try:
      self.run = self._open(run)
    except OSError as error:
      reason = error.strerror or error
      raise errors.InputError(f"--workdir={workdir} cannot be used: {reason}") from error

  def _open(self, run: Mapping[str, Any]) -> dict[str, Any]:
    if whole.read(self.workdir / description.FILE) is None:
      self._begin(run)
    found = json.loads(whole.read(self.workdir / description.FILE) or b"{}")
    asked = json.loads(description.encoded(run))  # As JSON gives it back.
    if differences := description.unlike(found["identity"], asked["identity"]):
      raise errors.InputError(
        f"--workdir={self.workdir} belongs to another configuration: {'; '.join(differences[:3])}. "
        "Name another --workdir, or ask for the same again to continue it"
      )
    for name in ("records", "sessions"):
      (self.workdir / name).mkdir(parents=True, exist_ok=True)
    if (told := found | asked) != found:
      whole.write(self.workdir / description.FILE, description.encoded(told))
    return told

  def _begin(self, run: Mapping[str, Any]) -> None:
    """Makes a folder a run's; other hosts may be doing the same."""
    if self.workdir.exists() and any(map(_is_foreign, self.workdir.iterdir())):
      raise errors.InputError(f"--workdir={self.workdir} holds something else; name a new folder")
    self.workdir.mkdir(parents=True, exist_ok=True)
    whole.write(self.workdir / description.FILE, description.encoded(run))

  def save_session(self, name: str, session: Mapping[str, Any]) -> None:
    """Replaces what one process says of itself, of what it gave up, and of its warnings."""
    whole.write(self.workdir / "sessions" / f"{name}.json", description.encoded(session))

  def slots(self) -> int | None:
    """Slots on each device that the run's processes have settled on, if they had to."""
    return description.slots(self.workdir)

  def settle(self, slots: int) -> int:
    """Says how many slots fit, or hears it from whoever has said so before."""
    whole.create(self.workdir / description.SLOTS, description.encoded(slots))
    return self.slots() or slots

  def lower(self, slots: int) -> None:
    """Says that no more slots than these have fitted after all."""
    whole.write(self.workdir / description.SLOTS, description.encoded(slots))

  def retry(self, over: Callable[[str], bool]) -> None:
    """Forgets what sessions gave up that are over; it is tried again."""
    for name, session in description.sessions(self.workdir).items():
      if session.get("absent") and over(name):
        self.save_session(name, {**session, "absent": []})

  def done(self, data: str = "", block: int | None = None) -> dict[tuple[str, str, int], set[str]]:
    """Examples that have a row already, by cell, data set and block; of one block, if it is named.

    Looks into the folder each time: other hosts may have written there.
    """
    start = "" if block is None else parts.prefix(data, block)
    result: dict[tuple[str, str, int], set[str]] = collections.defaultdict(set)
    for part in parts.files(self.workdir, start):
      name, number = parts.place(part)
      written = parts.read(part, ["cell", "example"])
      for cell, example in zip(*(column.to_pylist() for column in written), strict=True):
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


def _is_foreign(file: epath.Path) -> bool:
  """Whether it is anything but a run.json that another host is writing."""
  return not file.name.startswith(f".{description.FILE}.")
