"""Stored vectors in parts: .npy as LAION's published embeddings, or Parquet; local or gs://."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from jaxbench import errors

_NUMBERED = re.compile(r"(?P<stem>.*?)(?P<number>\d+)\.(npy|parquet)")
_NAMES = ("url", "key", "image_path")  # Of metadata: what tells an image, the best first.


class Shard(NamedTuple):
  """One file of vectors; nothing of it has been read but what it says of its shape."""

  file: epath.Path
  rows: int
  width: int
  column: str | None  # Of a Parquet file.

  def pieces(self, size: int) -> Iterator[np.ndarray]:
    """The vectors in order, float [N, D], `size` at a time.

    Raises:
      InputError: the file is cut short or cannot be read.
    """
    with _told(self.file), self.file.open("rb") as file:
      yield from (_npy(self, file, size) if self.column is None else _parquet(self, file, size))


def find(place: epath.PathLike) -> list[Shard]:
  """The shards of a folder, in order, or one file.

  Args:
    place: a file; a folder of them; or a folder with `img_emb` in it. Files that are numbered must
      be there from the lowest to the highest number.

  Raises:
    InputError: there are none, one is missing or broken, or they differ in width.
  """
  root = epath.Path(place)
  if not root.exists():
    raise errors.InputError(f"{place} does not exist: name a folder of .npy or Parquet files")
  files = [root] if not root.is_dir() else _files(root)
  shards = [_open(file) for file in files]
  if other := [shard for shard in shards if shard.width != shards[0].width]:
    raise errors.InputError(
      f"{other[0].file} holds vectors of {other[0].width} numbers, "
      f"{shards[0].file.name} of {shards[0].width}"
    )
  return shards


def names(shard: Shard, rows: Sequence[int]) -> list[str | None]:
  """What the metadata call some of a shard's images, by URL or key; None where they do not."""
  file = shard.file if shard.column else metadata(shard.file)
  if not file.exists():
    return [None] * len(rows)
  with _told(file), file.open("rb") as opened:
    table = pq.ParquetFile(opened)
    column = next((name for name in _NAMES if name in table.schema_arrow.names), None)
    if column is None:
      return [None] * len(rows)
    return table.read([column], use_threads=False)[column].take(pa.array(rows)).to_pylist()


def metadata(file: epath.Path) -> epath.Path:
  """Where LAION's layout has what is known of the images of an .npy file."""
  name = file.stem.replace("img_emb", "metadata") + ".parquet"
  return file.parent.parent / "metadata" / name


def _files(root: epath.Path) -> list[epath.Path]:
  folder = root / "img_emb" if (root / "img_emb").is_dir() else root
  files = [file for file in folder.iterdir() if file.suffix in (".npy", ".parquet")]
  if not files:
    raise errors.InputError(f"{folder} holds no .npy or Parquet files")
  numbered = {file: parts for file in files if (parts := _NUMBERED.fullmatch(file.name))}
  groups: dict[str, dict[int, epath.Path]] = {}
  for file, parts in numbered.items():
    groups.setdefault(parts["stem"], {})[int(parts["number"])] = file
  for numbers in groups.values():
    for number in range(min(numbers), max(numbers)):
      if number not in numbers:
        raise errors.InputError(
          f"shard {number} is missing in {folder}, between {numbers[min(numbers)].name} and "
          f"{numbers[max(numbers)].name}; fetch it, or give other numbers to a part of the shards"
        )
  return sorted(files, key=lambda file: _order(file, numbered.get(file)))


def _order(file: epath.Path, parts: Any) -> tuple[str, int, str]:
  """By number, however many digits it has."""
  return (parts["stem"], int(parts["number"]), file.name) if parts else (file.name, 0, file.name)


def _open(file: epath.Path) -> Shard:
  with _told(file), file.open("rb") as opened:
    if file.suffix == ".npy":
      shape, _ = _header(file, opened)
      return Shard(file, *shape, column=None)
    table = pq.ParquetFile(opened)
    vectors = [field for field in table.schema_arrow if _is_vector(field.type)]
    if len(vectors) != 1:
      raise errors.InputError(f"{file} needs one column of vectors and has {len(vectors)}")
    rows = table.metadata.num_rows
    first = next(table.iter_batches(1, columns=[vectors[0].name], use_threads=False), None)
    if not rows or first is None:
      raise errors.InputError(f"{file} holds no rows")
    return Shard(file, rows, len(first[0][0]), vectors[0].name)


def _header(file: epath.Path, opened: IO[bytes]) -> tuple[tuple[int, int], np.dtype]:
  version = np.lib.format.read_magic(opened)
  reader = (
    np.lib.format.read_array_header_1_0
    if version == (1, 0)
    else np.lib.format.read_array_header_2_0
  )
  shape, fortran, dtype = reader(opened)
  if len(shape) != 2 or fortran or dtype.kind != "f" or not all(shape):
    raise errors.InputError(
      f"{file} holds {dtype} {list(shape)}, not rows of vectors: float16 or float32 [N, D]"
    )
  return shape, dtype


def _npy(shard: Shard, opened: IO[bytes], size: int) -> Iterator[np.ndarray]:
  (rows, width), dtype = _header(shard.file, opened)
  for start in range(0, rows, size):
    count = min(size, rows - start)
    content = opened.read(count * width * dtype.itemsize)
    if len(content) < count * width * dtype.itemsize:
      raise errors.InputError(f"{shard.file} is cut short: it says {rows} rows")
    piece = np.frombuffer(content, dtype).reshape(count, width)
    yield piece if dtype == np.float16 else piece.astype(np.float32)


def _parquet(shard: Shard, opened: IO[bytes], size: int) -> Iterator[np.ndarray]:
  batches = pq.ParquetFile(opened).iter_batches(size, columns=[shard.column], use_threads=False)
  waiting: list[np.ndarray] = []
  for batch in batches:  # Not larger than a row group, so that several make a piece.
    flat = batch[0].flatten().to_numpy(zero_copy_only=False)
    if flat.size != len(batch) * shard.width or batch[0].null_count:
      raise errors.InputError(f"{shard.file}: its vectors differ in width, or some are missing")
    vectors = flat.reshape(-1, shard.width)
    waiting.append(vectors if vectors.dtype == np.float16 else vectors.astype(np.float32))
    if sum(map(len, waiting)) >= size:
      whole = np.concatenate(waiting)
      yield whole[:size]
      waiting = [whole[size:]]
  if rest := [vectors for vectors in waiting if len(vectors)]:
    yield np.concatenate(rest)


def _is_vector(kind: pa.DataType) -> bool:
  several = pa.types.is_list(kind) or pa.types.is_large_list(kind)
  return (several or pa.types.is_fixed_size_list(kind)) and pa.types.is_floating(kind.value_type)


@contextlib.contextmanager
def _told(file: epath.Path) -> Iterator[None]:
  """An InputError for whatever goes wrong with the file inside."""
  try:
    yield
  except errors.InputError:
    raise
  except (OSError, pa.ArrowException, ValueError) as error:
    raise errors.InputError(f"{file} cannot be read: {str(error).partition(chr(10))[0]}") from error
