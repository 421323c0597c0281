"""Image files of one set, in a folder or packed: their names, and their content by index."""

import abc
import collections
import functools
import pathlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxbench import errors
from jaxbench.data.decode import SUFFIXES


class Files(abc.ABC):
  """Some files. Reading is safe from several threads, and the whole may be pickled."""

  where: str  # The place, for messages.
  names: Sequence[str]  # Paths inside the set, with "/" between folders.
  left_out: Mapping[str, int]  # How many other files lie there, by the reason why.

  @functools.cached_property
  def stamp(self) -> Any:
    """JSON that changes when the files do: their sizes and times."""
    raise NotImplementedError(f"{type(self).__name__} has no stamp")

  @functools.cached_property
  def groups(self) -> Sequence[int] | None:
    """The number of what each file is read together with; None where each is read alone."""
    return None

  @abc.abstractmethod
  def read(self, index: int) -> bytes:
    """The content of `names[index]`."""


CLASS_NAMES = "classnames.txt"  # Beside the images of a set: the names of its classes, by line.

# What goes with the images of a set, and is none by intention.
NOTES = frozenset((".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", "hidden"))


def why_not(name: str) -> str | None:
  """Why a file is no image of a set, by its name; None if it is one.

  Hidden ones are those that macOS leaves in archives.
  """
  if any(part.startswith(".") for part in name.split("/")):
    return "hidden"
  suffix = posixpath.splitext(name)[1].lower()
  return None if suffix in SUFFIXES else suffix or "without suffix"


def count(reasons: Iterable[str]) -> dict[str, int]:
  """How often each of the reasons comes, the most frequent first."""
  return dict(collections.Counter(reasons).most_common())


def counted(left_out: Mapping[str, int]) -> str:
  """What was left out, in words: "3 .heic, 1 hidden"."""
  return ", ".join(f"{number:,} {reason}" for reason, number in left_out.items())


def no_images(where: str, left_out: Mapping[str, int], under: str = "") -> errors.InputError:
  """The error for a place without images, which tells what it has instead.

  Args:
    where: the place.
    left_out: how many files there are no images, by the reason.
    under: the folder inside that was asked for.
  """
  other = f"; it has {counted(left_out)}" if left_out else ""
  return errors.InputError(f"{where} holds no images{under and f' under {under}'}{other}")


def checked_name(name: str, where: str) -> str:
  """`name`, of a file in the archive `where`, without a leading "./".

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
  """The error for `path`, which cannot be opened, or which a library finds broken."""
  reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
  return errors.InputError(f"{path} cannot be read: {reason}")


def read_lines(file: pathlib.Path) -> list[str]:
  """The lines of a text file.

  Raises:
    InputError: it cannot be read, or is no text in UTF-8.
  """
  try:
    return file.read_text("utf-8-sig").splitlines()  # Some editors on Windows begin with a mark.
  except (OSError, UnicodeDecodeError) as error:
    raise unreadable(file, error) from error


def class_names(*folders: pathlib.Path) -> list[str] | None:
  """The lines of `classnames.txt` in the first of the folders that has one.

  Raises:
    InputError: it cannot be read.
  """
  files = (folder / CLASS_NAMES for folder in folders)
  listed = next((file for file in files if file.is_file()), None)
  return None if listed is None else read_lines(listed)
