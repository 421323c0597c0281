"""The first screen for other programs and other pages: JSON, a Markdown table, rows as CSV."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from etils import epath

from jaxbench import records
from jaxbench.records import schema
from jaxbench.report import content
from jaxbench.report.first import Column, First, Value
from jaxbench.report.units import figure, unit_of
from jaxbench.storage import atomic

VERSION = 1  # Of the keys in `report.json`; one that is added leaves it as it is.


def described(runs: Sequence[content.Run]) -> dict[str, Any]:
  """What `report.json` says of some runs; the README beside explains it."""
  return {"version": VERSION, "runs": [_of_run(run) for run in runs]}


def _of_run(run: content.Run) -> dict[str, Any]:
  found = run.first
  return {
    "workdir": run.workdir,
    "jaxbench": run.run["identity"]["jaxbench"],
    "sentence": found.sentence,
    "columns": [column._asdict() for column in found.columns],
    "classifiers": [
      {
        "model": line.classifier.model,
        "prompts": line.classifier.prompts,
        "figures": {
          column.key: None if value is None else _plain(value)
          for column, value in zip(found.columns, line.values, strict=True)
        },
      }
      for line in found.lines
    ],
    "doubts": [f"{item['what']}: {item['detail']}" for item in run.warnings],
    "missing": {reason: len(names) for reason, names in run.missing.items()},
  }


def _plain(value: Value) -> dict[str, Any]:
  """JSON has no infinity."""
  ends = {name: getattr(value, name) for name in ("value", "low", "high")}
  told = {name: "inf" if end is not None and math.isinf(end) else end for name, end in ends.items()}
  return told | {"best": value.best}


def markdown(workdir: epath.PathLike) -> str:
  """The table of the first screen in GitHub's Markdown, for a model card or a pull request.

  Raises:
    InputError: the folder holds no run or no records.
  """
  run = content.load(workdir)
  return "\n".join(table(run.first, str(run.run["identity"]["jaxbench"]))) + "\n"


def table(found: First, version: str) -> Iterator[str]:
  """Its lines."""
  heads = ["model", "prompts", *map(_head, found.columns)]
  yield f"| {' | '.join(heads)} |"
  yield f"|---|---|{'---:|' * len(found.columns)}"
  for line in found.lines:
    cells = [
      "–" if value is None else _cell(value, column)
      for column, value in zip(found.columns, line.values, strict=True)
    ]
    names = [_escaped(name or "–") for name in (line.classifier.model, line.classifier.prompts)]
    yield f"| {' | '.join([*names, *cells])} |"
  yield ""
  yield f"{_escaped(found.sentence)} Measured with jaxbench {version}; bold: the best of a column, "
  yield "and what its 95 % interval cannot tell from it."


def _head(column: Column) -> str:
  unit = unit_of(column.unit)
  return _escaped(f"{column.title}, {unit}" if unit else f"{column.title}, %")


def _cell(value: Value, column: Column) -> str:
  text = figure(value, column.unit)
  return f"**{text}**" if value.best else text


def _escaped(text: str) -> str:
  """Names that hold Markdown are only names."""
  plain = " ".join(text.split())
  return "".join(f"\\{letter}" if letter in "\\`*_|<>[]#" else letter for letter in plain)


def export_rows(workdir: epath.PathLike, file: epath.PathLike) -> epath.Path:
  """Writes all rows of a run as CSV, a line per example and cell, without their pictures.

  Of several right labels, spaces stand between them.

  Raises:
    InputError: the folder holds no run or no records.
  """
  names = [name for name in schema.SCHEMA.names if name not in ("picture", "error")]
  rows = records.read_finished(workdir, names)
  columns = {name: _written(rows[name]) for name in names}
  sink = pa.BufferOutputStream()
  pa_csv.write_csv(pa.table(columns), sink)
  atomic.write(epath.Path(file), sink.getvalue().to_pybytes())
  return epath.Path(file)


def _written(column: pa.ChunkedArray) -> pa.ChunkedArray:
  if pa.types.is_list(column.type):
    return pc.binary_join(column.cast(pa.list_(pa.string())), " ")
  return column.cast(schema.plain(column.type))
