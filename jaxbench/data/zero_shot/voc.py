"""PASCAL VOC 2007 as CLIP_benchmark has it: by the boxes of objects, and by whole images."""

import functools
import hashlib
import json
import pathlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import NamedTuple

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.annotated import Annotated
from jaxbench.data.decode import BadImage, decode
from jaxbench.data.folder import Folder
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.several import several
from jaxbench.data.source import Example, Source

_LIST = "ImageSets/Main/aeroplane_test.txt"  # Of any class: all list the whole test.
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _Box(NamedTuple):
  file: int  # Index of the image.
  number: int  # Of the object in its image.
  place: tuple[int, int, int, int]  # Left, top, right, bottom, as the files have them.
  label: int


class Boxes(Source):
  """What the boxes hold of some images, cut out as Pillow does with the files' own numbers.

  Args:
    files: the images.
    boxes: of the examples.
    space: of their labels.
  """

  def __init__(self, files: Folder, boxes: Sequence[_Box], space: LabelSpace):
    self._files, self._boxes = files, boxes
    self.label_space, self.class_names = space, space.class_names
    self.labels = [box.label for box in boxes]
    self.ids = [f"{files.names[box.file]}/{box.number}" for box in boxes]

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of ids, labels and the images' files."""
    files = {box.file for box in self._boxes}
    contents = {file: hashlib.sha256(self._files.read(file)).hexdigest() for file in files}
    lines = sorted([*box[1:], contents[box.file]] for box in self._boxes)
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()

  def __getitem__(self, index: int) -> Example:
    """The part `ids[index]`."""
    file, _, (left, top, right, bottom), label = self._boxes[index]
    try:
      image = decode(self._files.read(file))
    except (OSError, BadImage) as error:
      raise BadImage(f"{self._files.names[file]} in {self._files.where}: {error}") from error
    return Example(image[top:bottom, left:right], label)


def voc2007(path: pathlib.Path, space: LabelSpace) -> Boxes:
  """All 14,976 boxes of the test images, those that are marked difficult too.

  Args:
    path: the folder VOC2007.
    space: of the 20 classes.

  Raises:
    InputError: an image or its annotation is missing or broken.
  """
  files = Folder(path / "JPEGImages")
  boxes = [box for found in _boxes(path, files, space).values() for box in found]
  return Boxes(files, boxes, space)


def multilabel(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The 4,952 test images, with all classes of which there is an object, a difficult one too.

  That is CLIP_benchmark's reading; the challenge's own leaves difficult objects out.
  """
  files = Folder(path / "JPEGImages")
  boxes = _boxes(path, files, space)
  present = [
    sorted({box.label for box in boxes[file]}) if file in boxes else None
    for file in range(len(files.names))
  ]
  return several(files, files.names, present, space)


def _boxes(path: pathlib.Path, files: Folder, space: LabelSpace) -> dict[int, list[_Box]]:
  """The objects of each image of the test, by its index among the files."""
  places = {name: index for index, name in enumerate(files.names)}
  labels = {name: label for label, name in enumerate(space.written or space.class_names)}
  found: dict[int, list[_Box]] = {}
  for line in image_files.read_lines(path / _LIST):
    stem = line.split()[0]
    if f"{stem}.jpg" not in places:
      raise errors.InputError(f"{path}: {stem}.jpg of {_LIST} is not there")
    image, file = places[f"{stem}.jpg"], path / f"Annotations/{stem}.xml"
    boxes = found.setdefault(image, [])
    try:
      for number, thing in enumerate(ElementTree.parse(file).iter("object")):
        left, top, right, bottom = (int(thing.findtext(f"bndbox/{at}", "")) for at in _CORNERS)
        label = labels[thing.findtext("name", "")]
        boxes.append(_Box(image, number, (left, top, right, bottom), label))
    except (OSError, ElementTree.ParseError, ValueError, KeyError) as error:
      raise image_files.unreadable(file, error) from error
  return found
