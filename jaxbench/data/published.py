"""What is known of a published data set: where people keep it, and how much of it there is."""

import dataclasses
import pathlib
import re
from collections.abc import Callable

from jaxbench.data.source import Source


@dataclasses.dataclass(frozen=True)
class Published:
  """A data set that a person has on the disk."""

  places: tuple[str, ...]  # Below the data root; patterns. The first that is there is read.
  read: Callable[[pathlib.Path], Source]
  examples: int  # As published.
  origin: str  # Where it can be had.
  unread: tuple[str, ...] = ()  # Below the root, other forms of it, which are not read.
  whole: bool = False  # Papers report all of it: a part must be asked for.

  def find(self, root: pathlib.Path) -> pathlib.Path | None:
    """Where it lies below `root`, in the newest version if there are several; or None."""
    newest = (max(root.glob(place), key=_version, default=None) for place in self.places)
    return next((path for path in newest if path is not None), None)

  def near(self, root: pathlib.Path) -> str | None:
    """What lies below `root` as if it were meant, and what to do with it; None if nothing does."""
    tops = {place.split("/")[0] for place in self.places if "*" not in place.split("/")[0]}
    archives = [f"{top}{suffix}" for top in tops for suffix in _PACKED]
    for name in [*archives, *_ARCHIVE.findall(self.origin)]:
      if (file := root / name).is_file():
        return f"{name} is there, packed: {_unpacking(file)}"
    if other := next((name for name in self.unread if (root / name).exists()), None):
      return f"{other} is a form that is not read; get it from {self.origin}"
    for place in self.places:
      if deeper := next(root.glob(f"*/{place}"), None):
        above = deeper.relative_to(root).parts[0]
        return f"it lies one folder deeper: name {root / above}"
      folder, _, split = place.rpartition("/")
      if folder and split in _SPLITS and (other := _other_split(root / folder)):
        return f"{folder} has {other}, and no {split}; that is at {self.origin}"
    return None


_PACKED = (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz", ".tar.zst")
_ARCHIVE = re.compile(r"[\w.-]+\.(?:tar\.gz|tar|zip)\b")
_SPLITS = ("val", "validation", "test", "train")


def _unpacking(file: pathlib.Path) -> str:
  return f"unzip {file}" if file.suffix == ".zip" else f"tar -xf {file} -C {file.parent}"


def _other_split(folder: pathlib.Path) -> str | None:
  return next((split for split in _SPLITS if (folder / split).is_dir()), None)


def _version(path: pathlib.Path) -> list[int]:
  return [int(number) for number in re.findall(r"\d+", path.name)]
