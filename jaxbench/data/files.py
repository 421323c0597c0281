"""Image files of one set, in a folder or packed: their names, and their content by index."""

import pathlib
import posixpath
from collections.abc import Sequence
from typing import Any, Protocol

from jaxbench import errors
from jaxbench.data.decode import SUFFIXES


class Files(Protocol):
  """Some files. Reading is safe from several threads, and the whole may be pickled."""

  @property
  def where(self) -> str:
    """The place, for messages."""

  @property
  def names(self) -> Sequence[str]:
    """Paths inside the set, with "/" between folders."""

  @property
  def stamp(self) -> Any:
    """JSON that changes when the files do: their sizes and times."""

  def read(self, index: int) -> bytes:
    """The content of `names[index]`."""


def is_image(name: str) -> bool:
  """Whether a name is an image's, and not hidden, as those are that macOS leaves in archives."""
  hidden = any(part.startswith(".") for part in name.split("/"))
  return not hidden and name.lower().endswith(SUFFIXES)


def checked_name(name: str, where: str) -> str:
  """`name` without a leading "./".

  Raises:
    InputError: it leads out of the set.
  """
  plain = name.removeprefix("./")
  if plain.startswith(("/", "\\")) or ".." in plain.replace("\\", "/").split("/"):
    raise errors.InputError(f"{where}: {name!r} leads out of it; do not trust this archive")
  return plain


def without_shared_folders(names: Sequence[str]) -> list[str]:
  """Paths without the leading folders that all share, each file's own folder excepted.

  So they are the same wherever a set was packed, with its top folder or without.
  """
  above = [posixpath.dirname(posixpath.dirname(name)) for name in names]
  shared = posixpath.commonpath(above)
  return [name.removeprefix(f"{shared}/") for name in names]


def stamp(file: pathlib.Path) -> list[Any]:
  """What changes when a file does."""
  status = file.stat()
  return [str(file.absolute()), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def unreadable(path: Any, error: Exception) -> errors.InputError:
  """The error for what cannot be opened, or is found broken by whatever library reads it."""
  reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
  return errors.InputError(f"{path} cannot be read: {reason}")


def read_lines(file: pathlib.Path) -> list[str]:
  """The lines of a text file.

  Raises:
    InputError: it cannot be read, or is no text in UTF-8.
  """
  try:
    return file.read_text("utf-8").splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise unreadable(file, error) from error
