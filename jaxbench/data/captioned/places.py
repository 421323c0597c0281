"""Where the images are that a list names."""

import pathlib
from collections.abc import Sequence

from jaxbench import errors
from jaxbench.data.folder import Folder
from jaxbench.data.image_files import Files
from jaxbench.data.tar import Tar


def files_of(place: pathlib.Path) -> Files:
  """The images in a folder, or in a tar of one."""
  return Tar([place]) if place.is_file() else Folder(place)


def rows_of(files: Files, named: Sequence[str]) -> list[int]:
  """The place of each image among the files, by its path or, where that is unique, its name.

  Raises:
    InputError: it is not there, or its name is there twice.
  """
  whole = {name: row for row, name in enumerate(files.names)}
  by_file: dict[str, list[int]] = {}
  for row, name in enumerate(files.names):
    by_file.setdefault(name.rpartition("/")[2], []).append(row)
  rows, lost = [], []
  for image in named:
    likely = by_file.get(image.rpartition("/")[2], [])
    if image in whole:
      rows.append(whole[image])
    elif len(likely) == 1:
      rows.append(likely[0])
    elif likely:
      twice = " and ".join(files.names[row] for row in likely[:2])
      raise errors.InputError(f"{files.where}: {image} may be {twice}; name the folder of one")
    else:
      lost.append(image)
  if lost:
    raise errors.InputError(
      f"{len(lost)} of {len(named)} images with captions are not in {files.where}, as {lost[0]}: "
      "without them the others would be found more often"
    )
  return rows
