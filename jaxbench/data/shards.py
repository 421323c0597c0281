"""The Parquet files of a folder: which of them are a split, and whether all of them are there."""

import pathlib
import re
from collections.abc import Sequence

from jaxbench import errors

# As `datasets` names them; what is pushed to the hub may have a hash behind.
_SHARD = re.compile(r"(?P<split>.+?)-(?P<number>\d+)-of-(?P<count>\d+)(?:-[0-9a-f]{16})?")


def by_split(path: pathlib.Path) -> dict[str, list[pathlib.Path]]:
  """All Parquet files below a folder, in order."""
  splits: dict[str, list[pathlib.Path]] = {}
  for file in sorted(path.rglob("*.parquet")):
    if any(part.startswith(".") for part in file.relative_to(path).parts):
      continue
    shard = _SHARD.fullmatch(file.stem)
    name = shard["split"] if shard else file.parent.name if file.stem.isdecimal() else file.stem
    splits.setdefault(name, []).append(file)
  return splits


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
  found = splits[split or next(iter(splits))]
  folders = sorted({file.parent.relative_to(path).as_posix() for file in found})
  if len(folders) > 1:
    raise errors.InputError(
      f"{path} holds the split {split or next(iter(splits))} in several folders, "
      f"{' and '.join(folders[:3])}; name one, as {path}(under={folders[0]!r})"
    )
  return found


def missing(files: Sequence[pathlib.Path]) -> dict[str, int]:
  """How many files of a split are not there, by their names."""
  found = [shard for file in files if (shard := _SHARD.fullmatch(file.stem))]
  lacking = max((int(shard["count"]) for shard in found), default=0) - len(found)
  return {"files of the split, which are not there": lacking} if lacking > 0 else {}
