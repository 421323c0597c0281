"""Probes of composition: images with sentences of which one is right, in their published forms."""

import functools
import hashlib
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.captioned.places import files_of, rows_of
from jaxbench.data.captioned.space import OptionSpace
from jaxbench.data.labelled import Labelled
from jaxbench.data.source import Example, Source

TIES = ("right", "wrong")
_MARKS = ('"negative_caption"', '"true_caption"', '"options"', '"caption_options"', '"caption_1"')
_START = 4096  # Bytes of a file in which a mark has to be.

Box = tuple[int, int, int, int]  # Left, top, width, height.


class Case(NamedTuple):
  """An image with its options."""

  name: str  # "KIND/NUMBER": cases are also averaged by kind.
  image: str  # Its path, or just its file.
  options: tuple[str, ...]  # The right one first.
  box: Box | None = None  # What is shown of it.


class Probe(Source):
  """The cases of a probe: a `Source`. The label of each is 0, the place of the right option.

  Args:
    images: of the cases, an image for each different file.
    rows: [N], which image a case has.
    cases: [N].
    ties_are_right: whether equally similar options count for the model.
  """

  def __init__(
    self, images: Source, rows: Sequence[int], cases: Sequence[Case], ties_are_right: bool
  ):
    self._images, self._rows, self._boxes = images, list(rows), [case.box for case in cases]
    self.ids, self.labels = [case.name for case in cases], [0] * len(cases)
    texts = {text: place for place, text in enumerate(dict.fromkeys(_texts(cases)))}
    options = tuple(tuple(texts[text] for text in case.options) for case in cases)
    self.space = OptionSpace(captions=tuple(texts), options=options, ties_are_right=ties_are_right)
    self.label_space, self.class_names = self.space, self.space.class_names

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of images, boxes and options."""
    return self._told(self._images.sha256)

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of some images and of all options; without `read`, "" where it is not known."""
    rows = sorted({self._rows[index] for index in indices})
    return self._told(self._images.sha256_of(rows, read=read))

  def _told(self, images: str) -> str:
    space = self.space
    said: list[Any] = [images, list(self.ids), self._boxes]
    said += [space.captions, space.options, space.ties_are_right]
    return images and hashlib.sha256(json.dumps(said).encode()).hexdigest()

  def image_hashes(self, indices: Sequence[int]) -> list[str | None]:
    """A SHA-256 of file and box for each of some cases; None where a file has none."""
    hashes = self._images.image_hashes([self._rows[index] for index in indices])
    boxes = (self._boxes[index] for index in indices)
    return [content and f"{content}, {box}" for content, box in zip(hashes, boxes, strict=True)]

  def __getitem__(self, index: int) -> Example:
    """The case `ids[index]`, cut out if it has a box."""
    image = self._images[self._rows[index]].image
    box = self._boxes[index]
    return Example(image if box is None else _cut_out(image, box), 0)


def _cut_out(image: np.ndarray, box: Box) -> np.ndarray:
  """As Pillow cuts out, with which the authors do: black where a box leaves the image."""
  left, top, width, height = box
  found = np.zeros((height, width, *image.shape[2:]), image.dtype)
  inside = image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
  row, column = max(-top, 0), max(-left, 0)
  found[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
  return found


def _texts(cases: Sequence[Case]) -> Iterator[str]:
  for case in cases:
    yield from case.options


def is_probe(path: pathlib.Path) -> bool:
  """Whether a file, or the first in a folder of them, lists cases of a probe."""
  file = min(path.glob("*.json"), default=None) if path.is_dir() else path
  if file is None or file.suffix not in (".json", ".jsonl"):
    return False
  try:
    with file.open("rb") as content:
      start = content.read(_START).decode("utf-8", errors="replace")
  except OSError:  # Whoever reads it will say why.
    return False
  return any(mark in start for mark in _MARKS)


def probe(path: pathlib.Path, *, images: str | None = None, ties: str | None = None) -> Probe:
  """A probe of composition.

  Args:
    path: a file of SugarCrepe, or the folder of all seven; a file of ARO's VG-Relation or
      VG-Attribution; Winoground's `examples.jsonl`; or a list of one's own, as of shuffled words:
      `[{"image": "a.jpg", "options": ["right", "wrong", ...], "kind": "..."}]`, kinds if there are
      any.
    images: the folder of the images, or a tar of it; by default that of the file.
    ties: whether equally similar options are "right" or "wrong". By default as the authors count
      them: wrong but in lists of one's own, where the first of equal ones is taken, as in ARO's
      order sets.

  Raises:
    InputError: it is none of these forms, or an image is not there.
  """
  if ties not in (None, *TIES):
    raise errors.unknown("ties", str(ties), TIES)
  found: list[Case] = []
  forms = set()
  for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
    form, cases = _cases(file)
    forms.add(form)
    found += cases
  if len(forms) > 1:
    raise errors.InputError(f"{path} holds files of several probes: name one of them")
  if uneven := {len(case.options) for case in found} - {len(found[0].options)}:
    raise errors.InputError(
      f"{path}: cases have {len(found[0].options)} options, and others {min(uneven)}"
    )
  place = (path if path.is_dir() else path.parent) if images is None else pathlib.Path(images)
  files = files_of(place.expanduser())
  rows = rows_of(files, [case.image for case in found])
  distinct = {row: number for number, row in enumerate(dict.fromkeys(rows))}
  shown = Labelled(
    files, [files.names[row] for row in distinct], [(row, files.names[row], 0) for row in distinct]
  )
  right = forms == {_options} if ties is None else ties == "right"
  return Probe(shown, [distinct[row] for row in rows], found, right)


def _cases(file: pathlib.Path) -> tuple[Callable[..., Any], list[Case]]:
  """The cases of a file, and what reads it."""
  try:
    if file.suffix == ".jsonl":
      lines = [json.loads(line) for line in image_files.read_lines(file)]
      return _winoground, [case for line in lines for case in _winoground(line)]
    content = json.loads(file.read_text("utf-8"))
    if isinstance(content, dict):
      return _sugarcrepe, [_sugarcrepe(file.stem, key, each) for key, each in content.items()]
    read = _aro if "true_caption" in content[0] else _options
    return read, [read(str(number), each) for number, each in enumerate(content)]
  except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
    raise errors.InputError(
      f"{file} is no probe as they are published: {errors.reason(error)}"
    ) from error


def _sugarcrepe(kind: str, key: str, each: dict[str, str]) -> Case:
  """Hsieh et al., 2023 (arXiv:2306.14610)."""
  return Case(f"{kind}/{key}", each["filename"], (each["caption"], each["negative_caption"]))


def _aro(key: str, each: dict[str, Any]) -> Case:
  """Yuksekgonul et al., 2023 (arXiv:2210.01936)."""
  kind = each["relation_name"] if "relation_name" in each else "_".join(each["attributes"])
  x, y, width, height = (each[f"bbox_{side}"] for side in ("x", "y", "w", "h"))
  left, top = round(x), round(y)  # Pillow rounds corners.
  box = left, top, round(x + width) - left, round(y + height) - top
  options = each["true_caption"], each["false_caption"]
  return Case(f"{kind}/{key}", each["image_path"], options, box)


def _winoground(each: dict[str, Any]) -> Iterator[Case]:
  """Thrush et al., 2022 (arXiv:2204.03162): two images and two captions, each other's options."""
  for right, wrong in ((0, 1), (1, 0)):
    options = each[f"caption_{right}"], each[f"caption_{wrong}"]
    name = str(each[f"image_{right}"])
    file = name if "." in name else f"{name}.png"
    yield Case(f"{each['id']}/image_{right}", file, options)


def _options(key: str, each: dict[str, Any]) -> Case:
  """A list of one's own."""
  options = each["options"] if "options" in each else each["caption_options"]
  image = each["image"] if "image" in each else each["image_path"]
  return Case(f"{each.get('kind', 'all')}/{key}", image, tuple(options))
