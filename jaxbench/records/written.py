"""Which rows there are, counted by columns: a run may have ten million."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from jaxbench.records import arrays


@dataclasses.dataclass(frozen=True)
class Written:
  """What is written of one block."""

  examples: frozenset[str]  # That have a row in some cell.
  rows: dict[str, int]  # By cell, each example once.


def count(tables: Iterable[pa.Table]) -> Written:
  """Of tables with the columns "cell" and "example"; two hosts may have written the same row."""
  cells, examples, pairs = _pairs(tables)
  rows = np.bincount(pairs // max(1, len(examples)), minlength=len(cells))
  return Written(frozenset(examples), dict(zip(cells, rows.tolist(), strict=True)))


def by_cell(tables: Iterable[pa.Table]) -> dict[str, set[str]]:
  """The examples of each cell; see `count`."""
  cells, examples, pairs = _pairs(tables)
  of, which = np.divmod(pairs, max(1, len(examples)))
  names = np.array(examples, object)[which]  # One string for each example, however many rows.
  bounds = np.searchsorted(of, np.arange(len(cells) + 1))
  return {cell: set(names[bounds[n] : bounds[n + 1]].tolist()) for n, cell in enumerate(cells)}


def _pairs(tables: Iterable[pa.Table]) -> tuple[list[str], list[str], np.ndarray]:
  """Cells, examples, and the rows: place of the cell x examples + that of the example, sorted."""
  joined = pa.concat_tables(tables)
  cells, examples = (arrays.encoded(joined[name]) for name in ("cell", "example"))
  written = np.zeros((len(cells.dictionary), len(examples.dictionary)), bool)
  written[cells.indices.to_numpy(), examples.indices.to_numpy()] = True
  return cells.dictionary.to_pylist(), examples.dictionary.to_pylist(), np.flatnonzero(written)
