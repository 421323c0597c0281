"""The files of rows: what they are called, and how one is opened."""

import contextlib
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from jaxbench.records import schema
from jaxbench.storage import atomic, damage, parquet

_NAME = re.compile(r"(?P<data>.+)-(?P<block>\d{6,})-[^-]+\.parquet")


def files(workdir: epath.Path, start: str = "") -> list[epath.Path]:
  """Those of a run whose names begin so; all by default."""
  folder = workdir / "records"
  names = atomic.listing(folder)
  return [folder / name for name in sorted(names) if _is_part(name) and name.startswith(start)]


def _is_part(name: str) -> bool:
  return name.endswith(".parquet") and not name.startswith(".")


def prefix(data: str, block: int) -> str:
  """How the names of all parts of a block begin."""
  return f"{urllib.parse.quote(data, safe='')}-{block:06d}-"


def place(part: epath.Path) -> tuple[str, int]:
  """The data set and the block of a part.

  Raises:
    Damaged: it is none, by its name.
  """
  match = _NAME.fullmatch(part.name)
  if not match:
    raise damage.Damaged(part, "no run has named it")
  return urllib.parse.unquote(match["data"]), int(match["block"])


class Part(NamedTuple):
  """One that is open."""

  file: epath.Path
  content: pq.ParquetFile


def opened(file: epath.Path) -> Part:
  """Opens a part; of ids there are few, so that they have a dictionary too.

  Raises:
    Damaged: it is no part.
    OSError: it cannot be read; FileNotFoundError if it has gone.
  """
  place(file)
  content = parquet.content(file)
  with _told(file):
    part = Part(file, parquet.parsed(content, dictionaries=["example"]))
  missing = [
    field.name for field in schema.SCHEMA if not field.nullable and field.name not in _names(part)
  ]
  if missing:
    raise damage.Damaged(file, f"no column {missing[0]!r}")
  return part


def column(part: Part, name: str, kind: pa.DataType) -> pa.ChunkedArray:
  """One column; nulls where the part is of a version that did not have it yet.

  Raises:
    Damaged: it makes no sense.
  """
  rows = part.content.metadata.num_rows
  if name not in _names(part):
    return pa.chunked_array([pa.nulls(rows, kind)])
  with _told(part.file):
    values = part.content.read([name], use_threads=False)[name].cast(kind)
    values.validate(full=True)
  if len(values) != rows or (values.null_count and not schema.SCHEMA.field(name).nullable):
    raise damage.Damaged(part.file, f"column {name!r} lacks values")
  return values


def read(file: epath.Path, columns: Iterable[str]) -> pa.Table:
  """Some columns.

  Raises:
    Damaged: they make no sense.
    OSError: the part cannot be read; FileNotFoundError if it has gone.
  """
  part, kinds = opened(file), schema.fields(columns)
  arrays = [column(part, field.name, field.type) for field in kinds]
  return pa.Table.from_arrays(arrays, schema=kinds)


def _names(part: Part) -> list[str]:
  return part.content.schema_arrow.names


@contextlib.contextmanager
def _told(file: epath.Path) -> Iterator[None]:
  """What Arrow cannot make sense of becomes Damaged."""
  try:
    yield
  except KeyError as error:
    raise damage.Damaged(file, f"no column {error.args[0].decode()!r}") from error
  except (pa.ArrowException, OSError, ValueError) as error:
    raise damage.Damaged(file, str(error).partition("\n")[0].strip(" .")) from error
