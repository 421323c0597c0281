"""Sets of ImageNet's classes, in whatever form they were downloaded or packed."""

import functools
import pathlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources

from jaxbench import errors
from jaxbench.data import imagenet, label_spaces
from jaxbench.data.annotated import Annotated
from jaxbench.data.folder import folder
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.labelled import Labelled
from jaxbench.data.parquet import parquet
from jaxbench.data.tfds import tfds
from jaxbench.data.webdataset import webdataset

_WNID = re.compile(r"n\d{8}")
_VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})")


def by_class(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """A set whose folders are named by wnids or ImageNet labels; also packed, or by TFDS.

  Args:
    path: a folder of class folders or a tar of one, Parquet files, WebDataset shards, or what TFDS
      has prepared.
    space: of the set.

  Raises:
    InputError: a class is not in the label space, or see `folder` and its like.
  """
  names, numbers = space.class_names, _by_number(space)
  found = packed(path, names, numbers)
  return Annotated(found or folder(path, names, labels=_by_wnid(space) | numbers), space)


def validation(path: pathlib.Path) -> Annotated:
  """ImageNet's validation set; also the tar as it is distributed, without class folders.

  An id is the name of the file. What the devkit says of the classes is known here.
  """
  space = label_spaces.imagenet_1k()
  names = space.class_names
  found = packed(path, names, _by_number(space), split="validation") or folder(
    path,
    names,
    labels=_by_wnid(space),
    class_of=_validation_class,
    id_of=lambda name: name.rpartition("/")[2],
  )
  return Annotated(found, space)


def validation_on(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The images of ImageNet's validation set that are of the classes of another set."""
  groups = dict(enumerate(space.imagenet or ()))
  labels = {label: row for row, group in groups.items() for label in group}
  return Annotated(validation(path).source.selected(space.class_names, labels), space)


def objectnet(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """ObjectNet's images of the 113 classes, without the two outer pixels on each side.

  Their outermost pixel is red. Images of the other 200 classes are left out.
  """
  labels = {name: label for label, name in enumerate(label_spaces.objectnet_folders())}

  def class_of(name: str) -> str | None:
    above = name.split("/")[-2] if "/" in name else ""
    return above if above in labels else None

  found = folder(path, space.class_names, labels=labels, class_of=class_of)
  return Annotated(found, space, crop=2)


def packed(
  path: pathlib.Path,
  class_names: Sequence[str] | None = None,
  labels: Mapping[str, int] | None = None,
  *,
  split: str = "test",
) -> Labelled | None:
  """What TFDS has prepared, Parquet files or WebDataset shards; None if it is none of them.

  Args:
    path: where it lies.
    class_names: what the labels mean; by default as the form has it.
    labels: of those that TFDS has stored, as text; other forms number the class names.
    split: of TFDS, and of Parquet files with several.
  """
  if (path / "dataset_info.json").is_file():
    return tfds(path, class_names, labels=labels, split=split)
  files = [path] if path.suffix == ".parquet" else sorted(path.glob("*.parquet"))
  if path.suffix == ".parquet" or files:
    named = any(file.name.startswith(split) for file in files)
    return parquet(path, class_names, split=split if named else None)
  if path.is_dir() and any(path.glob("*.tar")):
    return webdataset(path, class_names)
  return None


def _by_number(space: LabelSpace) -> dict[str, int]:
  """Labels of the set by those of ImageNet, as text."""
  groups = enumerate(space.imagenet or ())
  return {str(label): row for row, group in groups for label in group}


def _by_wnid(space: LabelSpace) -> dict[str, int]:
  return {imagenet.wnids()[int(label)]: row for label, row in _by_number(space).items()}


def _validation_class(name: str) -> str:
  """The folder's name, if that is a class; else by the number in the file's name."""
  *_, above, file = ("", *name.split("/"))
  if _WNID.fullmatch(above):
    return above
  found = _VALIDATION.match(file)
  wnids = _validation_wnids()
  if found is None or not 1 <= int(found[1]) <= len(wnids):
    raise errors.InputError(
      f"{name} is not in the folder of a wnid, nor named like ILSVRC2012_val_00000001.JPEG"
    )
  return wnids[int(found[1]) - 1]


@functools.cache
def _validation_wnids() -> list[str]:
  """Of each validation image in the order of names, as TFDS has it."""
  package = resources.files("tensorflow_datasets")
  return (package / "datasets/imagenet2012/validation_labels.txt").read_text().split()
