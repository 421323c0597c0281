"""The files of rows: what they are called, and how one is opened.

A part's name ends with a digest of its bytes: who only counts rows need not decode the rest to know
that it is sound.
"""

import contextlib
import hashlib
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from jaxbench.records import schema
from jaxbench.storage import atomic, damage, parquet

T = TypeVar("T")

_NAME = re.compile(r"(?P<data>.+)-(?P<block>\d{6,})-(?P<digest>[^-]+)\.parquet")


def files(workdir: epath.Path, start: str = "") -> list[epath.Path]:
  """Those of a run whose names begin so; all by default."""
  folder = workdir / "records"
  names = atomic.listing(folder)
  return [folder / name for name in sorted(names) if _is_part(name) and name.startswith(start)]


def _is_part(name: str) -> bool:
  return name.endswith(".parquet") and not name.startswith(".")


def each(
  workdir: epath.Path,
  use: Callable[[epath.Path], T],
  start: str = "",
  damaged: Callable[[damage.Damaged], None] | None = None,
) -> dict[epath.Path, T]:
  """What `use` makes of every part that there is, at one moment.

  Where a part has gone that was there (its block has been compacted, or a host has set it aside),
  it looks again.

  Args:
    workdir: of a run.
    use: is given each part once; may raise FileNotFoundError.
    start: how the names begin.
    damaged: is told of those that are; None raises.

  Raises:
    Damaged: a part is.
    OSError: one cannot be read.
  """
  made: dict[epath.Path, T] = {}
  before: list[epath.Path] = []
  while True:
    now = files(workdir, start)
    try:
      for file in now:
        if file not in made:
          with _tolerated(damaged):
            made[file] = use(file)
      return {file: made[file] for file in now if file in made}
    except FileNotFoundError:
      if now == before:  # It is there, and cannot be opened.
        raise
      before = now


@contextlib.contextmanager
def _tolerated(damaged: Callable[[damage.Damaged], None] | None) -> Iterator[None]:
  try:
    yield
  except damage.Damaged as error:
    if damaged is None:
      raise
    damaged(error)


def block_name(data: str, block: int) -> str:
  """That of a block of a data set, among files."""
  return f"{urllib.parse.quote(data, safe='')}-{block:06d}"


def prefix(data: str, block: int) -> str:
  """How the names of all parts of a block begin."""
  return f"{block_name(data, block)}-"


def write(workdir: epath.Path, data: str, block: int, rows: pa.Table) -> epath.Path:
  """Adds a part to a block; the same rows twice are one part.

  Raises:
    OSError: it cannot be written.
  """
  content = parquet.encoded(rows)
  file = workdir / "records" / f"{prefix(data, block)}{_digest(content)}.parquet"
  atomic.write(file, content)
  return file


def _digest(content: bytes) -> str:
  return hashlib.sha256(content).hexdigest()[:16]


def place(part: epath.Path) -> tuple[str, int]:
  """The data set and the block of a part.

  Raises:
    Damaged: it is none, by its name.
  """
  name = _named(part)
  return urllib.parse.unquote(name["data"]), int(name["block"])


def _named(part: epath.Path) -> re.Match[str]:
  match = _NAME.fullmatch(part.name)
  if not match:
    raise damage.Damaged(part, "no run has named it")
  return match


class Part(NamedTuple):
  """One that is open."""

  file: epath.Path
  content: pq.ParquetFile
  columns: frozenset[str]
  sound: bool  # Its bytes are those that were written; False if nobody can tell.


def opened(file: epath.Path) -> Part:
  """Opens a part; of ids there are few, so that they have a dictionary too.

  Raises:
    Damaged: it is no part.
    OSError: it cannot be read; FileNotFoundError if it has gone.
  """
  name = _named(file)
  content = parquet.content(file)
  sound = _digest(content) == name["digest"]
  with _told(file):
    parsed = parquet.parsed(content, dictionaries=["example"])
    part = Part(file, parsed, frozenset(parsed.schema_arrow.names), sound)
  missing = [
    field.name for field in schema.SCHEMA if not field.nullable and field.name not in part.columns
  ]
  if missing:
    raise damage.Damaged(file, f"no column {missing[0]!r}")
  return part


def lacks(part: Part, name: str) -> bool:
  """Whether no row has a value in a column; False if only reading it would tell."""
  if name not in part.columns:
    return True
  field, metadata = schema.SCHEMA.field(name), part.content.metadata
  if not (part.sound and field.nullable) or pa.types.is_nested(field.type):
    return False
  place = part.content.schema_arrow.names.index(name)  # Nothing is nested but in lists of numbers.
  groups = [metadata.row_group(number).column(place) for number in range(metadata.num_row_groups)]
  told = [group.statistics for group in groups]
  return all(
    one is not None and one.has_null_count and one.null_count == group.num_values
    for one, group in zip(told, groups, strict=True)
  )


def column(part: Part, name: str, kind: pa.DataType) -> pa.ChunkedArray:
  """One column; nulls where the part is of a version that did not have it yet.

  Raises:
    Damaged: it makes no sense.
  """
  return columns(part, pa.schema([(name, kind)]))[name]


def columns(part: Part, kinds: pa.Schema) -> pa.Table:
  """Several, of these types; see `column`."""
  return pa.concat_tables([kinds.empty_table(), *groups(part, kinds)])


def groups(part: Part, kinds: pa.Schema) -> Iterator[pa.Table]:
  """Some columns, of some rows at a time, in their order; see `column`."""
  present = [name for name in kinds.names if name in part.columns]
  for number in range(part.content.num_row_groups):
    rows = part.content.metadata.row_group(number).num_rows
    with _told(part.file):
      table = part.content.read_row_group(number, present, use_threads=False)
    arrays = [
      _checked(part.file, table[name], kind, name, rows)
      if name in present
      else pa.chunked_array([pa.nulls(rows, kind)])
      for name, kind in zip(kinds.names, kinds.types, strict=True)
    ]
    yield pa.Table.from_arrays(arrays, schema=kinds)


def _checked(
  file: epath.Path, values: pa.ChunkedArray, kind: pa.DataType, name: str, rows: int
) -> pa.ChunkedArray:
  with _told(file):
    values = values.cast(kind)
    values.validate(full=True)
  if len(values) != rows or (values.null_count and not schema.SCHEMA.field(name).nullable):
    raise damage.Damaged(file, f"column {name!r} lacks values")
  return values


def read(file: epath.Path, names: Iterable[str]) -> pa.Table:
  """Some columns.

  Raises:
    Damaged: they make no sense.
    OSError: the part cannot be read; FileNotFoundError if it has gone.
  """
  return columns(opened(file), schema.fields(names))


@contextlib.contextmanager
def _told(file: epath.Path) -> Iterator[None]:
  """What Arrow cannot make sense of becomes Damaged."""
  try:
    yield
  except KeyError as error:
    raise damage.Damaged(file, f"no column {error.args[0].decode()!r}") from error
  except (pa.ArrowException, OSError, ValueError) as error:
    raise damage.Damaged(file, str(error).partition("\n")[0].strip(" .")) from error
