"""Files of tensors, read one tensor at a time: safetensors, and torch's if torch is there."""

import functools
import hashlib
import json
import math
import mmap
import pathlib
import types
from collections.abc import Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import safetensors

from jaxbench import errors
from jaxbench.models.weights import containers, torch_files

_NOT_WEIGHTS = {
  b"<": "an HTML page, not weights: a download went wrong",
  b"version https://git-lfs": "a Git LFS pointer, not the weights: run `git lfs pull`",
}
_DTYPES: dict[str, Any] = {
  "F64": np.float64,
  "F32": np.float32,
  "F16": np.float16,
  "BF16": ml_dtypes.bfloat16,
  "I64": np.int64,
  "I32": np.int32,
  "U8": np.uint8,
  "BOOL": np.bool_,
}


class Tensors(NamedTuple):
  """Tensors by name, spread over one or several files."""

  path: pathlib.Path  # For messages: the file or folder that the user named.
  files: tuple[pathlib.Path, ...]
  arrays: Mapping[str, Any]  # Views of mapped files: numpy's, or tensors of torch.
  spans: Mapping[str, "Span"] = types.MappingProxyType({})  # Of numpy's.

  @property
  def names(self) -> tuple[str, ...]:
    """Names of all tensors."""
    return tuple(self.arrays)

  def read(self, name: str) -> np.ndarray:
    """The tensor `name`, in its own dtype; bfloat16 as ml_dtypes has it."""
    array = self.arrays[name]
    return array if isinstance(array, np.ndarray) else torch_files.to_numpy(array)

  def release(self, *names: str) -> None:
    """Lets go of the memory of what has been read; another read fetches it from the file again."""
    if hasattr(mmap, "MADV_DONTNEED"):
      for span in (self.spans[name] for name in names if name in self.spans):
        start = -(-span.start // mmap.PAGESIZE) * mmap.PAGESIZE
        end = span.end // mmap.PAGESIZE * mmap.PAGESIZE
        if start < end:
          span.mapped.madvise(mmap.MADV_DONTNEED, start, end - start)


class Span(NamedTuple):
  """Bytes of a mapped file."""

  mapped: mmap.mmap
  start: int
  end: int

  def view(self, dtype: str, shape: list[int]) -> np.ndarray:
    """The array that they are."""
    count = math.prod(shape)
    return np.frombuffer(self.mapped, _DTYPES[dtype], count, self.start).reshape(shape)


def open_tensors(path: pathlib.Path, key: str | None = None) -> Tensors:
  """The network in a .safetensors file, its .index.json, or a .pt, .pth, .bin or .ckpt of torch.

  Args:
    path: of the file.
    key: of a file with several networks, which one; see `containers.chosen`.

  Raises:
    InputError: it is missing, truncated, a web page, a TorchScript archive, wants to run code...
  """
  opened = _open(path)
  flat = key is None and path.name.endswith((".safetensors", ".index.json"))
  network = opened.arrays if flat else containers.chosen(path, opened.arrays, key)
  arrays = {bare: network[name] for name, bare in containers.unwrapped(network).items()}
  spans = {id(opened.arrays[name]): span for name, span in opened.spans.items()}
  places = {name: spans[id(array)] for name, array in arrays.items() if id(array) in spans}
  return opened._replace(arrays=arrays, spans=places)


def together(path: pathlib.Path, parts: Mapping[str, Tensors]) -> Tensors:
  """Tensors of several files, the names of each behind that of its part; messages have `path`."""

  def named(fields: str) -> dict[str, Any]:
    held = {part: getattr(tensors, fields) for part, tensors in parts.items()}
    return {f"{part}.{name}": held[part][name] for part in held for name in held[part]}

  of_all = tuple(file for tensors in parts.values() for file in tensors.files)
  return Tensors(path, of_all, named("arrays"), named("spans"))


def _open(path: pathlib.Path) -> Tensors:
  """As the file has it."""
  if path.name.endswith(".index.json"):
    return _open_shards(path)
  start = _start(path)
  for magic, what in _NOT_WEIGHTS.items():
    if start.lstrip().startswith(magic):
      raise errors.InputError(f"{path}: {what}")
  if path.suffix == ".safetensors":
    return _open_safetensors(path)
  return Tensors(path, (path,), torch_files.read(path))


def sha256(files: tuple[pathlib.Path, ...], key: str | None = None) -> str:
  """Of the bytes of one file; of several, or of one network in a file, of digests in order."""
  digests = [_file_sha256(file, file.stat().st_mtime_ns, file.stat().st_size) for file in files]
  return combined(*digests, *([] if key is None else [key]))


def combined(*digests: str) -> str:
  """One digest as it is; of several, that of their lines."""
  if len(digests) == 1:
    return digests[0]
  return hashlib.sha256("\n".join(digests).encode()).hexdigest()


@functools.cache
def _file_sha256(file: pathlib.Path, changed: int, size: int) -> str:
  with file.open("rb") as stream:
    return hashlib.file_digest(stream, "sha256").hexdigest()


def _start(path: pathlib.Path) -> bytes:
  try:
    with path.open("rb") as file:
      return file.read(512)
  except OSError as error:
    raise errors.InputError(f"{path}: cannot be read: {error.strerror}") from error


def _open_safetensors(path: pathlib.Path) -> Tensors:
  """Views of the mapped file; the library, which would copy, checks that all is well with it."""
  try:
    with safetensors.safe_open(path, framework="numpy"):
      pass
  except (safetensors.SafetensorError, OSError) as error:
    raise errors.InputError(
      f"{path}: truncated, or not a safetensors file ({error}); fetch it again"
    ) from error
  with path.open("rb") as file:
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
  header.pop("__metadata__", None)
  if unknown := sorted({entry["dtype"] for entry in header.values()} - set(_DTYPES)):
    raise errors.InputError(f"{path}: tensors of dtype {unknown[0]} are not supported")
  spans, arrays = {}, {}
  for name, entry in header.items():
    start, end = (8 + length + offset for offset in entry["data_offsets"])
    spans[name] = Span(mapped, start, end)
    arrays[name] = spans[name].view(entry["dtype"], entry["shape"])
  return Tensors(path, (path,), arrays, spans)


def _open_shards(index: pathlib.Path) -> Tensors:
  try:
    places = json.loads(index.read_text())["weight_map"]
    names = sorted(set(places.values()))
  except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
    raise errors.InputError(f"{index}: not an index of shards ({error})") from error
  shards = {name: _open(index.parent / name) for name in names}
  for name, shard in places.items():
    if name not in shards[shard].arrays:
      raise errors.InputError(f"{index.parent / shard}: lacks {name}, which {index.name} promises")
  files = tuple(file for shard in shards.values() for file in shard.files)
  arrays = {name: array for shard in shards.values() for name, array in shard.arrays.items()}
  spans = {name: span for shard in shards.values() for name, span in shard.spans.items()}
  return Tensors(index.parent, files, arrays, spans)
