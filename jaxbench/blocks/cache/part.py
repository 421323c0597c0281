"""A file of pixels and its index, which come into being together or not at all."""

import contextlib
import fcntl
import json
import pathlib
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

import numpy as np
import tqdm
from array_record.python.array_record_module import ArrayRecordWriter

from jaxbench import errors


class Part:
  """Gathers new images under another name; nothing is written before there is one.

  Args:
    place: folder of the parts.
    described: what they are of, for the index.
    lacking: the images that no part has, their hashes by id.
  """

  def __init__(self, place: pathlib.Path, described: dict[str, str], lacking: Mapping[str, str]):
    self._place, self._described, self._lacking = place, described, dict(lacking)
    self._ids: list[str] = []
    self._sha256: list[str] = []
    self._crc32: list[int] = []
    self._writer: ArrayRecordWriter | None = None
    self._lock: IO[bytes] | None = None

  def add(self, ids: Sequence[str], images: np.ndarray) -> None:
    """Writes those of the images, uint8 [N, S, S, 3] with their ids, that are lacking."""
    for name, image in zip(ids, images, strict=True):
      if name not in self._lacking:
        continue
      writer = self._writer = self._writer or self._begin(image.nbytes)
      if writer is None:
        return
      content = image.tobytes()
      with _failing_as_os_error(self._place):
        writer.write(content)
      self._ids.append(name)
      self._sha256.append(self._lacking.pop(name))
      self._crc32.append(crc32(name, content))

  def _begin(self, size: int) -> ArrayRecordWriter | None:
    """Opens the file, unless another run is writing here or the disk has not the room."""
    total = size * len(self._lacking)
    try:
      self._place.mkdir(parents=True, exist_ok=True)
      free = shutil.disk_usage(self._place).free
      self._lock = _lock(self._place / "lock")
    except OSError as error:
      raise errors.InputError(f"--cache={self._place.parent} cannot be used: {error}") from error
    if self._lock is None:
      say(f"another run fills {self._place}; this one adds nothing to it")
      self._lacking = {}
      return None
    if free < total:
      self._lock.close()
      raise errors.InputError(
        f"--cache={self._place.parent} needs about {_bytes(total)}, and its disk has "
        f"{_bytes(free)} left; name a folder elsewhere, or run without"
      )
    say(f"{len(self._lacking):,} decoded images, about {_bytes(total)}, go to {self._place}")
    # A compressed or grouped record would have to be undone to read one image.
    with _failing_as_os_error(self._place):
      return ArrayRecordWriter(str(self._new), "group_size:1,uncompressed")

  @property
  def _new(self) -> pathlib.Path:
    return self._place / "new"  # What a killed run left there is overwritten.

  def publish(self) -> None:
    """Makes a part of what was written, if anything was; the index, which tells of it, last."""
    writer, self._writer = self._writer, None
    if writer is None or self._lock is None:
      return
    with self._lock:
      with _failing_as_os_error(self._place):
        writer.close()
      number = max((int(index.stem) for index in self._place.glob("*.json")), default=-1) + 1
      self._new.rename(self._place / f"{number}.array_record")
      index = {"ids": self._ids, "sha256": self._sha256, "crc32": self._crc32}
      self._new.write_text(json.dumps({"described": self._described} | index))
      self._new.rename(self._place / f"{number}.json")


def crc32(name: str, content: bytes) -> int:
  """The checksum of an image, its id and its pixels: that it is the right one and undamaged."""
  return zlib.crc32(content, zlib.crc32(name.encode()))


def say(line: str) -> None:
  """Writes a line to standard error, beside a progress bar."""
  tqdm.tqdm.write(f"jaxbench: {line}", file=sys.stderr)


def _lock(file: pathlib.Path) -> IO[bytes] | None:
  """Held until it is closed, or its process dies; None if another holds it."""
  opened = file.open("wb")
  try:
    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    opened.close()
    return None
  return opened


@contextlib.contextmanager
def _failing_as_os_error(place: pathlib.Path) -> Iterator[None]:
  """array_record tells of a full disk as of its own bugs."""
  try:
    yield
  except RuntimeError as error:
    raise OSError(f"the cache {place} cannot be written: {error}") from error


def _bytes(count: int) -> str:
  return tqdm.tqdm.format_sizeof(count, "B", 1000)
