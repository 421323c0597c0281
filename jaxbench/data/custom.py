"""One's own data set: a folder with a folder for each class, and maybe a list of their names."""

import pathlib

from jaxbench import errors
from jaxbench.data import image_files, imagenet, packed
from jaxbench.data.annotated import Annotated
from jaxbench.data.folder import folder
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.labelled import Labelled
from jaxbench.data.tfds import versions
from jaxbench.data.titles import titles


def read(
  path: pathlib.Path,
  *,
  split: str | None = None,
  image: str | None = None,
  label: str | None = None,
  under: str = "",
) -> Annotated:
  """A set in a folder, also packed.

  The classes are the folders, in the order of their names (numbers as numbers), or those that a
  packed set names. What prompts call them says `classnames.txt` in the folder or beside the file,
  see `titles`; without it their own names serve, with spaces for underscores. Folders that are
  wnids have ImageNet's names, and models of its 1000 classes answer in those that are there.

  Args:
    path: a folder, a tar of one, or whatever else `packed.packed` reads.
    split: of those of a packed set; by default "test", or the only one.
    image: the column, feature or field of images in a packed set.
    label: that of labels.
    under: the folder inside that holds the set.

  Raises:
    InputError: the list has another length or order, or see `folder`.
  """
  hints = packed.Hints(split, image, label)
  source = packed.packed(path / under if under else path, hints=hints)
  if source is None and any(hints):
    raise errors.InputError(f"{path} is not packed: it takes under='FOLDER', and nothing else")
  source = source or _folder(path, under)
  inside = (path / under, path) if path.is_dir() else (path.parent,)
  lines, wnids, kinds = image_files.class_names(*inside), imagenet.wnids(), source.class_names
  where = f"{inside[0] / image_files.CLASS_NAMES}"
  if not set(kinds) <= set(wnids):
    names = titles(where, lines, [kinds]) if lines else kinds
    return Annotated(source, LabelSpace(tuple(name.replace("_", " ") for name in names)))
  labels = tuple(wnids.index(wnid) for wnid in kinds)
  names = tuple(imagenet.class_names()[label] for label in labels)
  if lines:
    synsets = tuple(imagenet.synset_names()[label] for label in labels)
    names = titles(where, lines, [names, kinds, synsets])
  return Annotated(source, LabelSpace(names, tuple((label,) for label in labels)))


def _folder(path: pathlib.Path, under: str) -> Labelled:
  try:
    return folder(path, under=under)
  except errors.InputError as error:
    if not (prepared := versions(path)):
      raise
    shown = " or ".join(str(place) for place in prepared[:2])
    raise errors.InputError(f"{path} holds what TFDS has prepared; name {shown}") from error
