"""Tables as whole Parquet files, local or in an object store."""

import errno
import io
import os
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from jaxbench.storage import atomic

_GROUP = 65_536  # Rows that a reader can take at a time.


def write(file: epath.Path, table: pa.Table, compression: str = "zstd") -> None:
  """Replaces `file` by a table in one go; see `encoded`.

  Raises:
    OSError: it cannot be written.
  """
  atomic.write(file, encoded(table, compression))


def encoded(table: pa.Table, compression: str = "zstd") -> bytes:
  """What a file holds; its pages are compressed and have checksums."""
  buffer = io.BytesIO()
  pq.write_table(table, buffer, _GROUP, compression=compression, write_page_checksum=True)
  return buffer.getvalue()


def read(file: epath.Path) -> pa.Table:
  """All of a file.

  Raises:
    OSError: it cannot be read, or a page is not as its checksum says.
    pyarrow.ArrowException: it is no Parquet.
  """
  return parsed(content(file)).read(use_threads=False)


def content(file: epath.Path) -> bytes:
  """The bytes of a file.

  Raises:
    OSError: it cannot be read; FileNotFoundError if it is not there.
  """
  stored = atomic.read(file)
  if stored is None:
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
  return stored


def parsed(content: bytes, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
  """A file whose `content` is in memory, to be read with `use_threads=False`.

  The columns `dictionaries` come as dictionaries.

  Not `pq.read_table`: its threads may outlive the call, and abort a process that ends meanwhile
  (https://github.com/apache/arrow/issues/34314).
  """
  return pq.ParquetFile(
    pa.BufferReader(content),
    read_dictionary=list(dictionaries),
    page_checksum_verification=True,  # Without it, most flipped bits come back as other values.
  )
