"""Row groups of Parquet files that were read, kept for the images that are asked for next."""

import collections
import threading
from collections.abc import Callable, Hashable

import pyarrow as pa

_KEEP_BYTES = 2**28  # Two blocks of ImageNet's files; of larger groups two.


class RowGroups:
  """The latest ones; safe from several threads, of which one reads while the others wait."""

  def __init__(self) -> None:
    self._lock = threading.Lock()  # Or every thread would read what all of them wait for.
    self._kept: collections.OrderedDict[Hashable, pa.Array] = collections.OrderedDict()
    self._bytes = 0

  def get(self, key: Hashable, read: Callable[[], pa.Array]) -> pa.Array:
    """The row group `key`, which `read` returns if it is not kept."""
    with self._lock:
      if key not in self._kept:
        self._kept[key] = read()
        self._bytes += self._kept[key].nbytes
        while self._bytes > _KEEP_BYTES and len(self._kept) > 2:
          _, oldest = self._kept.popitem(last=False)
          self._bytes -= oldest.nbytes
      self._kept.move_to_end(key)
      return self._kept[key]
