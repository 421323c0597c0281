"""Tar archives, read where they are: an index of their members gives random access."""

import copy
import functools
import hashlib
import json
import os
import pathlib
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.disk_cache import remember

# What begins a compressed file, and what unpacks it.
_COMPRESSED = {
  b"\x1f\x8b": "gunzip -k",
  b"BZh": "bunzip2 -k",
  b"\xfd7zXZ": "unxz -k",
  b"\x28\xb5\x2f\xfd": "unzstd",
  b"PK\x03\x04": "unzip",
}


class Tar(image_files.Files):
  """The files in one or several archives: `Files`.

  Args:
    paths: of the archives, not compressed.
    under: only what lies below this folder, and named from there.
    images: only images; otherwise every file that is not hidden.

  Raises:
    InputError: an archive is compressed, truncated or broken, a member is a link or leads out of
      it, or there is nothing to read.
  """

  def __init__(self, paths: Sequence[pathlib.Path], under: str = "", *, images: bool = True):
    self._paths = list(paths)
    self.where = str(paths[0] if len(paths) == 1 else paths[0].parent)
    prefix = f"{under.strip('/')}/" if under else ""
    self.names: list[str] = []
    self.archives: list[int] = []  # In which of the paths a file lies.
    self._spans: list[tuple[int, int]] = []
    left_out = []
    for archive, path in enumerate(self._paths):
      for name, start, size in index(path):
        if not name.startswith(prefix):
          continue
        reason = image_files.why_not(name)
        if reason is None or (not images and reason != "hidden"):
          self.names.append(name.removeprefix(prefix))
          self.archives.append(archive)
          self._spans.append((start, size))
        elif name.split("/")[-1] != image_files.CLASS_NAMES:
          left_out.append(reason)
    self.left_out = image_files.count(left_out)
    if not self.names:
      raise image_files.no_images(self.where, self.left_out, under)

  @functools.cached_property
  def stamp(self) -> Any:
    """Place, size and time of each archive, and which of its files these are."""
    places = json.dumps([self.archives, self._spans]).encode()
    files = hashlib.sha256(places).hexdigest()
    return [files, *(image_files.stamp(path) for path in self._paths)]

  def only(self, indices: Sequence[int], left_out: Mapping[str, int]) -> "Tar":
    """Some of the files alone, and what is `left_out` then."""
    some = copy.copy(self)
    some.__dict__.pop("stamp", None)
    some.names = [self.names[index] for index in indices]
    some.archives = [self.archives[index] for index in indices]
    some._spans = [self._spans[index] for index in indices]
    some.left_out = dict(left_out)
    return some

  def read(self, index: int) -> bytes:
    """The content of one file."""
    start, size = self._spans[index]
    with self._paths[self.archives[index]].open("rb", buffering=0) as archive:
      return os.pread(archive.fileno(), size, start)


def index(path: pathlib.Path) -> list[tuple[str, int, int]]:
  """Name, first byte and size of every file in an archive, or in several joined to one.

  Raises:
    InputError: see `Tar`.
  """
  try:
    return remember("tar2", image_files.stamp(path), lambda: _members(path))
  except OSError as error:
    raise image_files.unreadable(path, error) from error
  except tarfile.TarError as error:
    if command := unpacking(path):
      raise errors.InputError(f"{path} is compressed: unpack it, by {command} {path}") from error
    what = (
      "not a whole tar archive" if path.suffix == ".tar" else "neither a folder nor a tar archive"
    )
    raise errors.InputError(f"{path} is {what}: {error}") from error


def unpacking(path: pathlib.Path) -> str | None:
  """The command that unpacks a compressed file; None if it is none."""
  with path.open("rb") as archive:
    start = archive.read(6)
  commands = (command for magic, command in _COMPRESSED.items() if start.startswith(magic))
  return next(commands, None)


def _members(path: pathlib.Path) -> list[tuple[str, int, int]]:
  members, size = [], path.stat().st_size
  with path.open("rb") as content:
    place = 0
    while True:  # Whoever joins archives by `cat` leaves the end of each within.
      content.seek(place)
      with tarfile.open(fileobj=content, mode="r:") as archive:
        members += [entry for member in archive for entry in _file(member, path)]
        end = archive.offset  # Where tarfile stopped, whatever was there.
      content.seek(end)
      if content.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("its end is missing; was it downloaded in full?")
      if (place := _after_zeros(content)) >= size:
        return members


def _file(member: tarfile.TarInfo, path: pathlib.Path) -> Iterator[tuple[str, int, int]]:
  if member.isdir():
    return
  if not member.isreg() or member.issparse():
    raise errors.InputError(f"{path}: {member.name!r} is a link or device, not a file")
  yield image_files.checked_name(member.name, str(path)), member.offset_data, member.size


def _after_zeros(content: BinaryIO) -> int:
  """Where the next block begins that is not empty; else the end of the file."""
  while block := content.read(tarfile.BLOCKSIZE):
    if any(block):
      return content.tell() - len(block)
  return content.tell()
