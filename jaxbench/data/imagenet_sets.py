"""Sets of ImageNet's classes, in whatever form they were downloaded or packed."""

import functools
import pathlib
import re
from importlib import resources

from jaxbench import errors
from jaxbench.data import kaggle, label_spaces, shards
from jaxbench.data.annotated import Annotated
from jaxbench.data.folder import folder
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.packed import packed
from jaxbench.data.parquet import Parquet
from jaxbench.data.several import several

_WNID = re.compile(r"n\d{8}")
_VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})")
_COPY = re.compile(r"(?:.*/)?(ILSVRC2012_val_\d{8})(?:_n\d{8})?(?:\.\w+)?")


def by_class(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """A set whose classes are named by wnids, ImageNet's labels or names; also packed, or by TFDS.

  Args:
    path: a folder of class folders or a tar of one, Parquet files, WebDataset shards, or what TFDS
      has prepared.
    space: of the set.

  Raises:
    InputError: a class is not in the label space, or see `folder` and its like.
  """
  return Annotated(packed(path, space) or folder(path, space), space)


def some_classes(path: pathlib.Path) -> Annotated:
  """A set of those of ImageNet's classes whose folders are there, as Tiny ImageNet's 200."""
  source = folder(path, label_spaces.imagenet_1k())
  kept = sorted(set(source.labels))
  space = label_spaces.restricted(kept)
  labels = {label: row for row, label in enumerate(kept)}
  return Annotated(source.selected(space.class_names, labels), space)


def validation(path: pathlib.Path, under: str = "") -> Annotated:
  """ImageNet's validation set; also the tar as it is distributed, without class folders.

  An id is the name of the file in that tar, whatever the copy is called. What the devkit says of
  the classes is known here; Kaggle's `LOC_val_solution.csv` must say the same.

  Args:
    path: as `by_class` takes it, or of a folder or tar of images without class folders.
    under: the folder inside that holds the set.
  """
  space = label_spaces.imagenet_1k()
  source = packed(path / under, space, splits=("validation", "val"), never=("train",))
  if source is not None:
    return Annotated(source.renamed(_validation_id), space)
  kaggle.check(path, _validation_wnids())
  source = folder(path, space, class_of=_validation_class, id_of=_file, under=under)
  return Annotated(source.renamed(_validation_id), space)


def validation_on(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The images of ImageNet's validation set that are of the classes of another set."""
  groups = dict(enumerate(space.imagenet or ()))
  labels = {label: row for row, group in groups.items() for label in group}
  return Annotated(validation(path).source.selected(space.class_names, labels), space)


def hard(path: pathlib.Path) -> Annotated:
  """ImageNet-Hard (Taesiri et al., 2023, arXiv:2304.05538), whose images may have several labels.

  Args:
    path: the hub's Parquet files.

  Raises:
    InputError: its labels are no lists of ImageNet's, or see `parquet`.
  """
  files = Parquet(shards.of_split(path, "validation" if path.is_dir() else None), None, None)
  if any(not isinstance(labels, list) for labels in files.labels):
    raise errors.InputError(f"{path} has no list of labels for each image, as ImageNet-Hard has")
  return several(files, files.names, files.labels, label_spaces.imagenet_1k())


def objectnet(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """ObjectNet's images of the 113 classes, without the two outer pixels on each side.

  Their outermost pixel is red, in CLIP_benchmark's shards too. Images of the other 200 classes are
  left out.
  """
  labels = {name: label for label, name in enumerate(label_spaces.objectnet_folders())}

  def class_of(name: str) -> str | None:
    above = name.split("/")[-2] if "/" in name else ""
    return above if above in labels else None

  source = packed(path, space) or folder(path, space, labels=labels, class_of=class_of)
  return Annotated(source, space, crop=2)


def _validation_id(name: str) -> str:
  """That of the image in the tar as it is distributed, if it is named like one."""
  match = _COPY.fullmatch(name)
  return f"{match[1]}.JPEG" if match else name


def _file(name: str) -> str:
  return name.rpartition("/")[2]


def _validation_class(name: str) -> str:
  """The folder's name, if that is a class; else by the number in the file's name."""
  *_, above, file = ("", *name.split("/"))
  if _WNID.fullmatch(above):
    return above
  match = _VALIDATION.match(file)
  wnids = _validation_wnids()
  if match is None or not 1 <= int(match[1]) <= len(wnids):
    raise errors.InputError(
      f"{name} is not in the folder of a wnid, nor named like ILSVRC2012_val_00000001.JPEG"
    )
  return wnids[int(match[1]) - 1]


@functools.cache
def _validation_wnids() -> list[str]:
  """Of each validation image in the order of names, as TFDS has it."""
  package = resources.files("tensorflow_datasets")
  return (package / "datasets/imagenet2012/validation_labels.txt").read_text().split()
