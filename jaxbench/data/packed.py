"""The forms in which sets are packed: prepared by TFDS, Parquet files, WebDataset shards."""

import pathlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

from jaxbench import errors
from jaxbench.data import shards
from jaxbench.data.classes import Wanted
from jaxbench.data.labelled import Labelled
from jaxbench.data.parquet import parquet
from jaxbench.data.tar import index
from jaxbench.data.tfds import prepared_splits, tfds
from jaxbench.data.webdataset import webdataset


class Hints(NamedTuple):
  """What a person has said of files that do not tell it themselves."""

  split: str | None = None
  image: str | None = None  # Column, feature or field.
  label: str | None = None


def packed(
  path: pathlib.Path,
  classes: Wanted | None = None,
  *,
  splits: Sequence[str] = ("test",),
  never: Sequence[str] = (),
  hints: Hints | None = None,
) -> Labelled | None:
  """What TFDS has prepared, Parquet files or WebDataset shards; None if it is none of them.

  Args:
    path: where it lies.
    classes: what the labels mean; by default as the form has it.
    splits: those to take, of several the first that is there; else the only one.
    never: of the set that is meant, this is no split.
    hints: what a person has said of the files.

  Raises:
    InputError: it is another form that cannot be read, its split is left open, or see `tfds`,
      `parquet` and `webdataset`.
  """
  _refuse_saved(path)
  hints = hints or Hints()
  if (path / "dataset_info.json").is_file():
    split = hints.split or _split(path, prepared_splits(path), splits, never)
    image, label = hints.image or "image", hints.label or "label"
    return tfds(path, classes, split=split, image=image, label=label)
  if path.suffix == ".parquet" and path.is_file():
    return parquet(path, classes, image=hints.image, label=hints.label)
  if path.is_dir() and (by_split := shards.by_split(path)):
    split = hints.split or _split(path, by_split, splits, never)
    return parquet(path, classes, split=split, image=hints.image, label=hints.label)
  if (place := _shards(path, splits, hints.split)) is not None:
    return webdataset(place, classes, image=hints.image, label=hints.label or "cls")
  return None


def _split(
  path: pathlib.Path, held: Collection[str], splits: Sequence[str], never: Sequence[str]
) -> str:
  """The split to take."""
  if wanted := next((split for split in splits if split in held), None):
    return wanted
  if len(held) > 1:
    raise errors.InputError(
      f"{path} holds several splits, {', '.join(sorted(held))}, and none is {splits[0]}; "
      f"name one, as {path}(split={min(held)!r})"
    )
  if set(held) & set(never):
    raise errors.InputError(f"{path} holds the split {min(held)} alone; this set is {splits[0]}")
  return next(iter(held))


def _shards(
  path: pathlib.Path, splits: Sequence[str], named_split: str | None
) -> pathlib.Path | None:
  """Where WebDataset shards lie: the file or folder, or that of a split in it."""
  if path.is_file():
    is_shard = path.suffix == ".tar" and any(name.endswith(".cls") for name, _, _ in index(path))
    return path if is_shard else None
  for place in (path, *(path / split for split in ((named_split,) if named_split else splits))):
    if place.is_dir() and any(place.glob("*.tar")):
      return place
  return None


def _refuse_saved(path: pathlib.Path) -> None:
  """Raises InputError for what `datasets` has saved for itself, in Arrow files."""
  if not path.is_dir():
    return
  splits = path / "dataset_dict.json"
  if splits.is_file() or (path / "state.json").is_file():
    split = "['SPLIT']" if splits.is_file() else ""
    raise errors.InputError(
      f'{path} was written by save_to_disk; write Parquet from it, by python -c "import datasets; '
      f"datasets.load_from_disk('{path}'){split}.to_parquet('{path}.parquet')\""
      + (", of one of its splits" if split else "")
    )
  if any(path.glob("*.arrow")):
    raise errors.InputError(f"{path} is a cache of datasets; write Parquet, by its to_parquet")
