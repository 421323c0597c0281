"""The files of rows: what they are called, and how one is opened."""

import urllib.parse

import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from jaxbench import parquet, whole
from jaxbench.records import schema


def files(workdir: epath.Path, start: str = "") -> list[epath.Path]:
  """Those of a run whose names begin so; all by default."""
  folder = workdir / "records"
  names = whole.listing(folder)
  return [folder / name for name in sorted(names) if _is_part(name) and name.startswith(start)]


def _is_part(name: str) -> bool:
  return name.endswith(".parquet") and not name.startswith(".")


def prefix(data: str, block: int) -> str:
  """How the names of all parts of a block begin."""
  return f"{urllib.parse.quote(data, safe='')}-{block:06d}-"


def place(part: epath.Path) -> tuple[str, int]:
  """The data set and the block of a part."""
  data, block = part.stem.rsplit("-", 2)[:2]
  return urllib.parse.unquote(data), int(block)


def read(part: epath.Path, columns: list[str]) -> pa.Table:
  """Some columns."""
  file = opened(part)
  kinds = schema.fields(columns)
  arrays = [column(file, field.name, field.type) for field in kinds]
  return pa.Table.from_arrays(arrays, schema=kinds)


def column(file: pq.ParquetFile, name: str, kind: pa.DataType) -> pa.ChunkedArray:
  """One column; nulls where the part is of a version that did not have it yet."""
  if name not in file.schema_arrow.names:
    return pa.chunked_array([pa.nulls(file.metadata.num_rows, kind)])
  return file.read([name], use_threads=False)[name].cast(kind)


def opened(part: epath.Path) -> pq.ParquetFile:
  """Of ids there are few, so that they have a dictionary too."""
  return parquet.opened(part, dictionaries=["example"])
