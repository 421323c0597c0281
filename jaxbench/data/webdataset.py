"""WebDataset shards: tar archives of samples, whose files share a name up to the first dot."""

import os
import pathlib
import re
from collections.abc import Mapping, Sequence

from jaxbench import errors
from jaxbench.data import files as filing
from jaxbench.data.labelled import Labelled
from jaxbench.data.remember import remember
from jaxbench.data.tar import Tar


def webdataset(
  path: str | os.PathLike[str],
  class_names: Sequence[str] | None = None,
  *,
  labels: Mapping[str, int] | None = None,
) -> Labelled:
  """Shards whose samples have an image and its label, a number in a `.cls` file.

  An id is a sample's name; names must be unique over the shards, as the format asks.

  Args:
    path: a shard, or the local folder of the shards.
    class_names: what the labels mean; by default the lines of `classnames.txt` in the folder or
      the one above, where CLIP_benchmark has it.
    labels: of the contents of the `.cls` files; by default, they are the labels.

  Raises:
    InputError: there are no shards or no class names, a shard is broken, a sample lacks its image
      or label, or a label is out of range.

  Example:
    >>> data.webdataset("wds_imagenet-a/test")
  """
  place = pathlib.Path(path)
  shards = [place] if place.is_file() else sorted(place.glob("*.tar"), key=_numbers)
  if not shards:
    raise errors.InputError(f"{path} holds no shards (*.tar)")
  files = Tar(shards, images=False)
  samples = _samples(files)
  names = list(class_names or _class_names(place))
  kinds = remember("webdataset1", files.stamp, lambda: _labels(files, samples))
  ids = [_key(name) for name in files.names]
  return Labelled.of(
    files, ids, kinds, names, labels or {str(label): label for label in range(len(names))}
  )


def _samples(files: Tar) -> dict[tuple[int, str], dict[str, int]]:
  """By archive and key: the index of a sample's "image" and of its "label"."""
  samples: dict[tuple[int, str], dict[str, int]] = {}
  for index, (archive, name) in enumerate(zip(files.archives, files.names, strict=True)):
    sample = samples.setdefault((archive, _key(name)), {})
    if filing.is_image(name):
      sample["image"] = index
    elif name.endswith(".cls"):
      sample["label"] = index
  for (_, key), sample in samples.items():
    for part in ("image", "label"):
      if part not in sample:
        raise errors.InputError(f"{files.where}: the sample {key!r} has no {part}")
  return samples


def _labels(files: Tar, samples: Mapping[tuple[int, str], Mapping[str, int]]) -> list[str | None]:
  """What stands in the label of each image; None for other files."""
  found: list[str | None] = [None] * len(files.names)
  for sample in samples.values():
    content = files.read(sample["label"])
    found[sample["image"]] = content.decode(errors="replace").strip()
  return found


def _key(name: str) -> str:
  folder, slash, file = name.rpartition("/")
  return folder + slash + file.partition(".")[0]


def _class_names(place: pathlib.Path) -> list[str]:
  for folder in (place, place.parent):
    if (file := folder / "classnames.txt").is_file():
      return filing.read_lines(file)
  raise errors.InputError(f"{place} has no classnames.txt; name the classes")


def _numbers(path: pathlib.Path) -> list[tuple[int, str]]:
  """Sorts 10.tar after 9.tar."""
  return [
    (int(part or -1), "") if part.isdecimal() else (-1, part)
    for part in re.split(r"(\d+)", path.name)
  ]
