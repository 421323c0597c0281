"""Columns of names, in one piece, as numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
  """A column in one piece, with one dictionary."""
  if not pa.types.is_dictionary(column.type):
    column = column.dictionary_encode()
  return in_one_piece(column.unify_dictionaries())


def in_one_piece(column: pa.ChunkedArray) -> pa.Array:
  """The same values, without chunks."""
  joined = column.combine_chunks()
  return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined


def nothing(kind: pa.DataType, count: int) -> pa.Array:
  """So many nulls; of a dictionary that is empty, if it is one."""
  if not pa.types.is_dictionary(kind):
    return pa.nulls(count, kind)
  indices, names = pa.nulls(count, kind.index_type), pa.array([], kind.value_type)
  return pa.DictionaryArray.from_arrays(indices, names)


def ranks(column: pa.DictionaryArray) -> np.ndarray:
  """Numbers [N] that sort as the names do."""
  places = np.empty(len(column.dictionary), np.int32)
  places[pc.sort_indices(column.dictionary).to_numpy()] = np.arange(len(places), dtype=np.int32)
  return places[column.indices.to_numpy()]


def distinct(keys: list[np.ndarray]) -> np.ndarray:
  """Rows sorted by the last of `keys`, then by the one before it; of equal ones, the first.

  Args:
    keys: each [N].

  Returns:
    Numbers of rows, int64 [M].
  """
  order = np.lexsort(keys)
  first = np.ones(len(order), bool)
  first[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
  return order[first]
