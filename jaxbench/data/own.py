"""One's own data set: a folder with a folder for each class, and maybe a list of their names."""

import pathlib

from jaxbench import errors
from jaxbench.data import imagenet, packed
from jaxbench.data.annotated import Annotated
from jaxbench.data.files import read_lines
from jaxbench.data.folder import folder
from jaxbench.data.label_space import LabelSpace


def read(path: pathlib.Path) -> Annotated:
  """A set in a folder, also packed.

  The classes are the folders, in the order of their names (numbers as numbers). What prompts call
  them says `classnames.txt`, a line for each in that order, in the folder or beside the file;
  without it their own names serve, with spaces for underscores. Folders that are wnids have
  ImageNet's names, and models of its 1000 classes answer in those that are there.

  Args:
    path: a folder, a tar of one, or whatever else `packed.by_class` reads.

  Raises:
    InputError: the list has another length, or see `folder`.
  """
  listed = (path if path.is_dir() else path.parent) / "classnames.txt"
  names = tuple(read_lines(listed)) if listed.is_file() else None
  found = packed.packed(path, names) or folder(path)
  titles, wnids = names or found.class_names, imagenet.wnids()
  if len(titles) != len(found.class_names):
    raise errors.InputError(
      f"{listed} has {len(titles)} lines, and {path} {len(found.class_names)} classes"
    )
  if not set(found.class_names) <= set(wnids):
    return Annotated(found, LabelSpace(tuple(title.replace("_", " ") for title in titles)))
  labels = tuple(wnids.index(wnid) for wnid in found.class_names)
  own = titles if names else tuple(imagenet.class_names()[label] for label in labels)
  return Annotated(found, LabelSpace(tuple(own), tuple((label,) for label in labels)))
