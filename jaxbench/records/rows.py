"""Rows of all parts, as one table."""

import functools
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from jaxbench import errors
from jaxbench.records import arrays, parts, schema
from jaxbench.records.description import load_run

T = TypeVar("T")

_FAILED = ["data", "example", "label", "error"]  # Columns that tell of an unreadable image.


def read(workdir: epath.PathLike, columns: Iterable[str] | None = None) -> pa.Table:
  """All rows of a run but those of `unreadable` images, sorted by cell and example.

  A row that two hosts have written, since one seemed dead, is there once.

  Args:
    workdir: the run's folder.
    columns: names of `SCHEMA` to read; all by default. "picture" is the only large one.

  Raises:
    InputError: the folder holds no records, or damaged ones.

  Example:
    >>> rows = records.read("runs/quickstart")
    >>> rows.group_by(["model", "perturbation"]).aggregate([("prediction", "count")])
  """
  names = schema.SCHEMA.names if columns is None else list(columns)
  opened = _each(workdir, parts.opened)
  readable = [pc.is_null(parts.column(part, "error", pa.string())) for part in opened]
  # Column by column, the pictures first, so that little is there twice: rows may fill the memory.
  keys = [arrays.ranks(_column(opened, key, readable)) for key in ("example", "cell")]
  order = pa.array(arrays.distinct(keys))
  made, nothing = {}, functools.cache(lambda kind: arrays.nothing(kind, len(order)))
  for name in sorted(names, key=lambda name: name != "picture"):
    kind = schema.SCHEMA.field(name).type
    if all(parts.lacks(part, name) for part in opened):
      made[name] = nothing(kind)  # Most columns of most runs; they share their memory.
    else:
      column = _column(opened, name, readable).take(order)
      made[name] = _in_order_of_appearance(column, kind)
  return pa.Table.from_arrays([made[name] for name in names], schema=schema.fields(names))


def read_finished(workdir: epath.PathLike, columns: Iterable[str] | None = None) -> pa.Table:
  """All rows of the run's cells but those that had to be given up half way; see `read`.

  "cell" is among the columns.

  Raises:
    InputError: the folder holds no run or no records, or damaged ones.
  """
  rows, run = read(workdir, columns), load_run(workdir)
  present = arrays.encoded(rows["cell"]).dictionary.to_pylist()
  planned = [cell["id"] for cell in run["cells"]] if "cells" in run else present
  kept = set(planned) - {absent["what"] for absent in run["absent"]}
  for name in present:
    if name not in kept:
      rows = rows.filter(pc.invert(is_value(rows["cell"], name)))
  return rows


def by_cell(rows: pa.Table) -> dict[str, pa.Table]:
  """The rows of each cell, by its id; where they stand together, as `read` has them, no copies."""
  if not len(rows):
    return {}
  encoded = arrays.encoded(rows["cell"])
  codes = encoded.indices.to_numpy()
  starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
  if len(starts) > len(np.unique(codes[starts])):
    rows = rows.take(np.argsort(codes, kind="stable"))
    return by_cell(rows)
  names = encoded.dictionary.take(pa.array(codes[starts])).to_pylist()
  ends = np.append(starts[1:], len(rows))
  return {
    name: rows.slice(start, end - start)
    for name, start, end in zip(names, starts.tolist(), ends.tolist(), strict=True)
  }


def is_value(column: pa.ChunkedArray, value: str | None) -> pa.Array:
  """Which rows have a value in a column of names, by its dictionary; None: which have none."""
  encoded = arrays.encoded(column)
  if value is None:
    return pc.is_null(encoded)
  code = pc.index(encoded.dictionary, value).as_py()  # -1, which no row has, if it is not there.
  return pc.fill_null(pc.equal(encoded.indices, code), False)


def unreadable(workdir: epath.PathLike) -> pa.Table:
  """The examples whose images could not be read: `data`, `example`, `label` and `error`, sorted.

  They are in every cell of their data set, and count in none.

  Raises:
    InputError: the folder holds no records, or damaged ones.
  """
  rows = pa.concat_tables(_each(workdir, _failed))
  rows = rows.cast(
    pa.schema([field.with_type(schema.plain(field.type)) for field in schema.fields(_FAILED)])
  )
  # Models of several preprocessings may fail on an image with different words.
  keys = [("data", "ascending"), ("example", "ascending"), ("error", "ascending")]
  rows = rows.sort_by(keys).group_by(["data", "example"], use_threads=False)
  return rows.aggregate([("label", "first"), ("error", "first")]).rename_columns(_FAILED)


def _each(workdir: epath.PathLike, use: Callable[[epath.Path], T]) -> list[T]:
  made = parts.each(epath.Path(workdir), use)
  if not made:
    raise errors.InputError(f"{workdir}: no records there; is it the --workdir of a run?")
  return list(made.values())


def _failed(file: epath.Path) -> pa.Table:
  """The rows of a part whose images could not be read."""
  part, kinds = parts.opened(file), schema.fields(_FAILED)
  failed = pc.is_valid(parts.column(part, "error", pa.string()))
  if not pc.any(failed).as_py():
    return kinds.empty_table()
  columns = [parts.column(part, field.name, field.type).filter(failed) for field in kinds]
  return pa.Table.from_arrays(columns, schema=kinds)


def _in_order_of_appearance(column: pa.Array, kind: pa.DataType) -> pa.Array:
  """With a dictionary that only the rows decide, not how they came together."""
  if not pa.types.is_dictionary(kind):
    return column.cast(kind)
  seen = column.indices.unique().drop_null()
  places = np.zeros(len(column.dictionary), np.int32)
  places[seen.to_numpy()] = np.arange(len(seen), dtype=np.int32)
  indices = pa.array(places).take(column.indices)
  return pa.DictionaryArray.from_arrays(indices, column.dictionary.take(seen))


def _column(opened: list[parts.Part], name: str, kept: list[pa.ChunkedArray]) -> pa.Array:
  """One column of all parts, in one piece: the rows that are `kept` of each."""
  kind = schema.NAME if name == "example" else schema.SCHEMA.field(name).type
  columns = [parts.column(part, name, kind) for part in opened]
  pieces = [
    column if pc.all(mask).as_py() else column.filter(mask)
    for column, mask in zip(columns, kept, strict=True)
  ]
  joined = pa.chunked_array([chunk for piece in pieces for chunk in piece.chunks], kind)
  return arrays.encoded(joined) if pa.types.is_dictionary(kind) else arrays.in_one_piece(joined)
