"""Shards of images with captions, as CLIP_benchmark has them on the hub."""

import pathlib

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.tar import Tar
from jaxbench.data.webdataset import samples

_TYPE = "dataset_type.txt"


def are_shards(path: pathlib.Path) -> bool:
  """Whether a folder says that it holds shards of a retrieval set, or is a split of one."""
  files = (folder / _TYPE for folder in (path, path.parent))
  said = next((file for file in files if file.is_file()), None)
  return said is not None and "".join(image_files.read_lines(said)).strip() == "retrieval"


def read(path: pathlib.Path, split: str) -> tuple[image_files.Files, list[str], list[list[str]]]:
  """The images, their keys and their captions.

  Args:
    path: the folder of the set, or of one split.
    split: by name, where it is that of the set.

  Raises:
    InputError: shards are missing, or see `webdataset`.
  """
  place = path if any(path.glob("*.tar")) else path / split
  found = samples(place, label="txt")
  if found.images.left_out.get("shards of the split, which are not there"):
    raise errors.InputError(
      f"{place} has fewer shards than its nshards.txt says: without some images the others would "
      "be found more often"
    )
  return found.images, found.keys, [_captions(found.files, index) for index in found.labels]


def _captions(files: Tar, index: int) -> list[str]:
  """One a line, of whatever kind; a line feed inside is written as a backslash and an n."""
  text = files.read(index).decode("utf-8", errors="replace")
  return [line.replace("\\n", "\n") for line in text.splitlines() if line.strip()]
