"""WebDataset shards: tar archives of samples, whose files share a name up to the first dot."""

import os
import pathlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from jaxbench import errors
from jaxbench.data import agreement, classes, image_files
from jaxbench.data.decode import SUFFIXES
from jaxbench.data.disk_cache import remember
from jaxbench.data.labelled import Labelled
from jaxbench.data.tar import Tar

_NAME = re.compile(r"(?P<key>(?:.*/)?[^.]+)\.(?P<field>[^/]*)")  # As the library splits it.
_META = re.compile(r"__[^/]*__($|/)")

Sample = dict[str, int]  # By field, the index of its file.


def webdataset(
  path: str | os.PathLike[str],
  class_names: classes.Wanted | None = None,
  *,
  labels: Mapping[str, int] | None = None,
  image: str | None = None,
  label: str = "cls",
) -> Labelled:
  """Shards whose samples have an image and its label, a number or the name of a class.

  As for the `webdataset` library, a sample is what has the same name up to the first dot of the
  file's, its key; the rest is the field. The image is the field that is an image's suffix and
  nothing more: of `1.jpg`, `1.seg.png` and `1.cls` that is `jpg`. An id is a key; keys must be
  unique over the shards, as the format asks.

  Args:
    path: a shard, or the local folder of the shards.
    class_names: what the labels mean; by default the lines of `classnames.txt` in the folder or
      the one above, where CLIP_benchmark has it. Those lines are looked up among names given here.
    labels: of the contents of the label's files; by default numbers count the lines of
      `classnames.txt` or the names, and texts are classes.
    image: the field that is the image, if there are several.
    label: the field that is the label.

  Raises:
    InputError: there are no shards or no class names, a shard is broken, a sample lacks its image
      or label or may have several, or a class is none of the set's.

  Example:
    >>> data.webdataset("wds_imagenet-a/test")
  """
  place = pathlib.Path(path)
  found = samples(place, image, label)
  files = found.files

  def texts() -> list[str]:
    return [files.read(index).decode(errors="replace").strip() for index in found.labels]

  kinds = remember("webdataset2", [files.stamp, label], texts)
  meaning = _classes(place, set(kinds), class_names, labels)
  source = Labelled.of(found.images, found.keys, kinds, meaning)
  if labels is None:
    agreement.check(str(path), source.ids, source.labels, class_names or meaning.names)
  source.shards = found.shards
  return source


class Samples(NamedTuple):
  """The samples of some shards."""

  files: Tar  # All of them.
  images: image_files.Files  # That of each sample.
  labels: list[int]  # Likewise, the index of its label among the files.
  keys: list[str]
  shards: list[int]  # The number of the shard that has it.


def samples(place: pathlib.Path, image: str | None = None, label: str = "cls") -> Samples:
  """Which files of shards are the image and the label of each sample; see `webdataset`."""
  shards = [place] if place.is_file() else sorted(place.glob("*.tar"), key=_numbers)
  if not shards:
    raise errors.InputError(f"{place} holds no shards (*.tar)")
  files = Tar(shards, images=False)
  found, skipped = _samples(files)
  images = [_image(files.where, key, sample, image) for (_, key), sample in found.items()]
  labels = [_label(files.where, key, sample, label) for (_, key), sample in found.items()]
  others = [
    f".{field}"
    for sample, chosen in zip(found.values(), images, strict=True)
    for field, index in sample.items()
    if index != chosen and field != label
  ]
  left_out = {
    **files.left_out,
    **image_files.count(skipped + others),
    **_missing(place, len(shards)),
  }
  keys, numbers = [key for _, key in found], [shard for shard, _ in found]
  return Samples(files, files.only(images, left_out), labels, keys, numbers)


def _samples(files: Tar) -> tuple[dict[tuple[int, str], Sample], list[str]]:
  """By archive and key; and why other files are none of a sample."""
  samples: dict[tuple[int, str], Sample] = {}
  skipped = []
  for index, (archive, name) in enumerate(zip(files.archives, files.names, strict=True)):
    split = _NAME.fullmatch(name)
    if split is None or _META.match(name):
      skipped.append("without key")
      continue
    sample = samples.setdefault((archive, split["key"]), {})
    field = split["field"].lower()
    if field in sample:
      raise errors.InputError(f"{files.where}: the sample {split['key']!r} has two files .{field}")
    sample[field] = index
  return samples, skipped


def _image(where: str, key: str, sample: Sample, field: str | None) -> int:
  """The index of the image of a sample."""
  images = [suffix for suffix in sample if f".{suffix}" in SUFFIXES] if field is None else [field]
  if len(images) == 1 and images[0] in sample:
    return sample[images[0]]
  has = f"{where}: the sample {key!r} has"
  if len(images) > 1:
    raise errors.InputError(
      f"{has} several images, {' and '.join(images)}; name one, as image={images[0]!r}"
    )
  named = f" .{field}" if field else ""
  raise errors.InputError(
    f"{has} no image{named} but {', '.join(sorted(sample)[:3])}; a sample's name ends at the first "
    "dot, so write 0_1.jpg for 0.1.jpg"
  )


def _label(where: str, key: str, sample: Sample, field: str) -> int:
  """The index of the label of a sample."""
  if field not in sample:
    fields = ", ".join(sorted(sample)[:3])
    raise errors.InputError(f"{where}: the sample {key!r} has no label .{field}, but {fields}")
  return sample[field]


def _missing(place: pathlib.Path, shards: int) -> dict[str, int]:
  """How many shards of those that CLIP_benchmark has counted are not there."""
  counted = place / "nshards.txt"
  said = "".join(image_files.read_lines(counted)).strip() if counted.is_file() else ""
  lacking = int(said) - shards if said.isdecimal() else 0
  return {"shards of the split, which are not there": lacking} if lacking > 0 else {}


def _classes(
  place: pathlib.Path,
  kinds: set[str],
  wanted: classes.Wanted | None,
  labels: Mapping[str, int] | None,
) -> classes.Classes:
  in_file = image_files.class_names(place, place.parent)
  if labels is not None:
    return classes.given(str(place), wanted or in_file, labels)
  if not all(kind.removeprefix("-").isdecimal() for kind in kinds):
    return classes.named(str(place), kinds, wanted or in_file)
  if in_file is None and wanted is None:
    raise errors.InputError(f"{place} has no {image_files.CLASS_NAMES}; name the classes")
  return classes.numbered(str(place), in_file, kinds, wanted)


def _numbers(path: pathlib.Path) -> list[tuple[int, str]]:
  """Sorts 10.tar after 9.tar."""
  return [
    (int(part or -1), "") if part.isdecimal() else (-1, part)
    for part in re.split(r"(\d+)", path.name)
  ]
