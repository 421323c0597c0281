"""Tar archives, read where they are: an index of their members gives random access."""

import functools
import os
import pathlib
import tarfile
from collections.abc import Sequence
from typing import Any

from jaxbench import errors
from jaxbench.data import files as filing
from jaxbench.data.remember import remember


class Tar:
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
    for archive, path in enumerate(self._paths):
      for name, start, size in index(path):
        wanted = filing.is_image(name) if images else not name.split("/")[-1].startswith(".")
        if name.startswith(prefix) and wanted:
          self.names.append(name.removeprefix(prefix))
          self.archives.append(archive)
          self._spans.append((start, size))
    if not self.names:
      raise errors.InputError(f"{self.where} holds no images{under and f' under {under}'}")

  @functools.cached_property
  def stamp(self) -> Any:
    """Place, size and time of each archive."""
    return [filing.stamp(path) for path in self._paths]

  def read(self, index: int) -> bytes:
    """The content of one file."""
    start, size = self._spans[index]
    with self._paths[self.archives[index]].open("rb", buffering=0) as archive:
      return os.pread(archive.fileno(), size, start)


def index(path: pathlib.Path) -> list[tuple[str, int, int]]:
  """Name, first byte and size of every file in an archive.

  Raises:
    InputError: see `Tar`.
  """
  try:
    return remember("tar1", filing.stamp(path), lambda: list(_members(path)))
  except OSError as error:
    raise filing.unreadable(path, error) from error
  except tarfile.TarError as error:
    with path.open("rb") as archive:
      compressed = archive.read(2) in (b"\x1f\x8b", b"BZ", b"\xfd7", b"(\xb5")
    if compressed:
      raise errors.InputError(f"{path} is compressed: unpack it, or keep a plain tar") from error
    raise errors.InputError(f"{path} is not a whole tar archive: {error}") from error


def _members(path: pathlib.Path) -> list[tuple[str, int, int]]:
  found = []
  with tarfile.open(path, "r:") as archive:
    for member in archive:
      if member.isdir():
        continue
      if not member.isreg() or member.issparse():
        raise errors.InputError(f"{path}: {member.name!r} is a link or device, not a file")
      name = filing.checked_name(member.name, str(path))
      found.append((name, member.offset_data, member.size))
    end = archive.offset  # Where tarfile stopped, whatever was there.
  with path.open("rb") as content:
    content.seek(end)
    if content.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
      raise tarfile.ReadError("its end is missing; was it downloaded in full?")
  return found
