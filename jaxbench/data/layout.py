"""Where the images of a data set lie when they are written to class folders."""

import collections
import pathlib

from jaxbench import errors
from jaxbench.data.imagenet import wnids
from jaxbench.data.source import Source
from jaxbench.data.wrapper import complete


def layout(source: Source) -> dict[str, pathlib.Path]:
  """The class folder and file of the image of each id, one for each.

  They are those of the id, or its class's wnid or name, as ImageNet-C has them; where several ids
  would have the same, the whole of each is in the name of the file.

  Raises:
    InputError: ids differ in capitals alone, which not all disks tell apart.
  """
  whole = complete(source)
  usual = {name: _place(whole, row) for row, name in enumerate(whole.ids)}
  taken = collections.Counter(str(place).lower() for place in usual.values())
  places = {
    name: place if taken[str(place).lower()] == 1 else place.with_name(f"{_flat(name)}.JPEG")
    for name, place in usual.items()
  }
  if len({str(place).lower() for place in places.values()}) < len(places):
    raise errors.InputError("the data set has ids that differ in capitals alone; rename its files")
  return places


def _flat(name: str) -> str:
  """An id as the name of a file, another for each."""
  return name.replace("%", "%25").replace("/", "%2F")


def _place(source: Source, row: int) -> pathlib.Path:
  """Class folder and file of an image: those of its id, or its class's wnid, or its name."""
  name, label = pathlib.PurePosixPath(source.ids[row]), source.labels[row]
  space = source.label_space
  folder = name.parent.name or space.class_names[label].replace("/", "_")
  if space.imagenet is not None and len(space.imagenet[label]) == 1 and not name.parent.name:
    folder = wnids()[space.imagenet[label][0]]
  return pathlib.Path(folder) / f"{name.stem}.JPEG"
