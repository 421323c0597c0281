"""Rows of one classifier, put side by side: what several cells say of the same images."""

import numpy as np
import pyarrow as pa

from jaxbench import records


def of_classifier(rows: pa.Table, model: str, prompts: str | None, data: str) -> pa.Table:
  """The rows of one classifier on one data set; `prompts` is None for a supervised one."""
  for name, value in {"data": data, "model": model, "prompts": prompts}.items():
    rows = rows.filter(records.is_value(rows[name], value))
  return rows


def coded(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
  """The different values of a column, in the order of appearance, and which one each row has."""
  encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
  return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


def side_by_side(cells: np.ndarray, images: pa.ChunkedArray, values: np.ndarray) -> np.ndarray:
  """What each cell says of the images that all cells have, in the order of their ids.

  Args:
    cells: [N] int, of each row the number of its cell, 0 to C - 1.
    images: [N], the ids.
    values: [N, ...].

  Returns:
    [C, M, ...].
  """
  names, rows = coded(images)
  present = np.zeros((cells.max(initial=-1) + 1, len(names)), bool)
  present[cells, rows] = True
  table = np.zeros((*present.shape, *values.shape[1:]), values.dtype)
  table[cells, rows] = values
  common = np.flatnonzero(present.all(axis=0))
  return table[:, common[np.argsort(np.asarray(names, str)[common])]]
