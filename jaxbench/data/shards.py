"""The Parquet files of a folder: which of them are a split, and whether all of them are there."""

import os
import pathlib
import re
from collections.abc import Iterator, Sequence

from jaxbench import errors
from jaxbench.data import image_files

# As `datasets` names them; what is pushed to the hub may have a hash behind.
_SHARD = re.compile(r"(?P<split>.+?)-(?P<number>\d+)-of-(?P<count>\d+)(?:-[0-9a-f]{16})?")

_DEPTH = 3  # Folders: data/train/*.parquet, default/test/0000.parquet.


def by_split(path: pathlib.Path) -> dict[str, list[pathlib.Path]]:
  """All Parquet files in a folder and those below, in order.

  Raises:
    InputError: a folder cannot be read.
  """
  splits: dict[str, list[pathlib.Path]] = {}
  try:
    files = sorted(_below(path))
  except OSError as error:
    raise image_files.unreadable(error.filename or path, error) from error
  for file in files:
    shard = _SHARD.fullmatch(file.stem)
    name = shard["split"] if shard else file.parent.name if file.stem.isdecimal() else file.stem
    splits.setdefault(name, []).append(file)
  return splits


def _below(folder: pathlib.Path, depth: int = 0) -> Iterator[pathlib.Path]:
  """Folders of images are many and large; the first image ends the search in one."""
  with os.scandir(folder) as entries:
    for entry in entries:
      if entry.is_dir() and not entry.name.startswith("."):
        yield from _below(folder / entry.name, depth + 1) if depth < _DEPTH else ()
      elif entry.name.endswith(".parquet"):
        yield folder / entry.name
      elif depth and image_files.why_not(entry.name) is None:
        return


def of_split(path: pathlib.Path, split: str | None) -> list[pathlib.Path]:
  """The files of one split, in order; of the only one by default.

  Raises:
    InputError: there are none, or they are of several splits or in several folders.
  """
  if path.is_file():
    return [path]
  splits = by_split(path)
  if not splits:
    raise errors.InputError(f"{path} holds no Parquet files")
  if split is None and len(splits) > 1:
    raise errors.InputError(f"{path} holds several splits, name one: {', '.join(sorted(splits))}")
  if split is not None and split not in splits:
    raise errors.unknown(f"split of {path}", split, splits)
  files = splits[split or next(iter(splits))]
  folders = sorted({file.parent.relative_to(path).as_posix() for file in files})
  if len(folders) > 1:
    raise errors.InputError(
      f"{path} holds the split {split or next(iter(splits))} in several folders, "
      f"{' and '.join(folders[:3])}; name one, as {path}(under={folders[0]!r})"
    )
  _check_once(path, files)
  return files


def _check_once(path: pathlib.Path, files: Sequence[pathlib.Path]) -> None:
  """Raises InputError if a split is there twice, as after a second push under other hashes."""
  shards = [shard for file in files if (shard := _SHARD.fullmatch(file.stem))]
  parts = {(int(shard["number"]), int(shard["count"])) for shard in shards}
  if len(parts) < len(shards) or len({count for _, count in parts}) > 1:
    names = " and ".join(shard[0] for shard in shards[:2])
    raise errors.InputError(f"{path} holds a split twice, {names}; keep the files of one")


def missing(files: Sequence[pathlib.Path]) -> dict[str, int]:
  """How many files of a split are not there, by their names."""
  shards = [shard for file in files if (shard := _SHARD.fullmatch(file.stem))]
  lacking = max((int(shard["count"]) for shard in shards), default=0) - len(shards)
  return {"files of the split, which are not there": lacking} if lacking > 0 else {}
