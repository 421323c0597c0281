"""Photographs of real objects with words on them: RTA-100, PAINT's, and SCAM.

Folders that a person has downloaded and unpacked; nothing is fetched. The classes of a set are
all the words that name an object or stand on one, sorted.
"""

import functools
import hashlib
import json
import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath
from PIL import Image

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.decode import BadImage
from jaxbench.data.source import Example, Source

_RTA_NAME = re.compile(r"label=(?P<label>.+)_text=(?P<word>.+)\.(?:png|jpe?g)", re.IGNORECASE)
SCAM_TYPES = ("SCAM", "NoSCAM", "SynthSCAM")


class Photograph(NamedTuple):
  """One file and what is said of it."""

  id: str
  file: epath.Path
  label: str
  word: str


class Typographic(Source):
  """Photographs, each with a label and a word that is written there: a `Source` with targets."""

  def __init__(
    self,
    photographs: Sequence[Photograph],
    vocabulary: Sequence[str],
    left_out: Mapping[str, int] = types.MappingProxyType({}),
  ):
    self._photographs, self.left_out = sorted(photographs), dict(left_out)
    self.class_names = tuple(sorted(set(vocabulary)))
    index = {name: row for row, name in enumerate(self.class_names)}
    self.ids = [photograph.id for photograph in self._photographs]
    self.labels = [index[photograph.label] for photograph in self._photographs]
    targets = [index[photograph.word] for photograph in self._photographs]
    self.targets = np.asarray(targets, np.int32)  # [N], the class that is written.

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of all that is said of the files, and of their content."""
    return self.sha256_of(range(len(self)))

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of some of the files alone; without `read`, ""."""
    if not read:
      return ""
    digest, order = hashlib.sha256(), sorted(indices)
    for index, content in zip(order, self.image_hashes(order), strict=True):
      photograph = self._photographs[index]
      digest.update(
        json.dumps([photograph.id, photograph.label, photograph.word, content]).encode()
      )
    return digest.hexdigest()

  def image_hashes(self, indices: Sequence[int]) -> list[str | None]:
    """The SHA-256 of the file of each of some photographs."""
    files = (self._photographs[index].file for index in indices)
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]

  def __getitem__(self, index: int) -> Example:
    """The photograph `ids[index]`."""
    file = self._photographs[index].file
    try:
      with file.open("rb") as content, Image.open(content) as picture:
        return Example(np.asarray(picture.convert("RGB")), self.labels[index])
    except OSError as error:
      raise BadImage(f"{file} is not an image: {error}") from error


def rta_100(folder: epath.PathLike) -> Typographic:
  """RTA-100 (Azuma & Matsui, 2023, arXiv:2304.04512): a thousand objects with notes on them.

  Label and word are in the file names, `label=dog_text=cat.png`; so they are in the typographic
  photographs of PAINT (Ilharco et al., 2022, arXiv:2208.05592). Predictions are made among all
  classes, from the prompt "a photo of a {}.". There are no clean photographs.

  Args:
    folder: the one that holds the images.

  Raises:
    InputError: there are none, an image is named otherwise, or its word is its label.
  """
  photographs, others = [], []
  for file in _files(folder):
    if file.suffix.lower() not in (".png", ".jpg", ".jpeg"):
      others.append(file.suffix.lower() or "without suffix")
      continue
    name = _RTA_NAME.fullmatch(file.name)
    if name is None:
      raise errors.InputError(f"{file} is not named like label=dog_text=cat.png")
    photographs.append(Photograph(f"rta-100/{file.stem}", file, name["label"], name["word"]))
  if not photographs:
    raise errors.InputError(f"{folder} holds no images named like label=dog_text=cat.png")
  vocabulary = [name for photograph in photographs for name in photograph[2:]]
  return Typographic(_checked(photographs), vocabulary, image_files.count(others))


def scam(folder: epath.PathLike, kind: str = "SCAM") -> Typographic:
  """SCAM (Westerhoff et al., 2025, arXiv:2504.04893): 1,162 objects with a handwritten note each.

  The same scenes come with an empty note ("NoSCAM") and with the word drawn on it ("SynthSCAM"),
  and have the same ids there. Its authors choose between label and word alone, not among all
  classes.

  Args:
    folder: `images/train` of the unpacked `images.zip`, with its `metadata.jsonl`.
    kind: one of `SCAM_TYPES`.

  Raises:
    InputError: the folder is another one, a line of its metadata lacks something, or a word is
      its label.
  """
  if kind not in SCAM_TYPES:
    raise errors.unknown("kind of SCAM", kind, SCAM_TYPES)
  lines = _read_lines(epath.Path(folder) / "metadata.jsonl")
  photographs = [
    Photograph(
      f"scam/{line['id'].removeprefix(kind + '_')}",
      epath.Path(folder) / line["file_name"],
      line["object_label"],
      line["attack_word"],
    )
    for line in lines
    if line["type"] == kind
  ]
  if not photographs:
    raise errors.InputError(f"{folder}: metadata.jsonl lists no image of type {kind}")
  vocabulary = [line[name] for line in lines for name in ("object_label", "attack_word")]
  return Typographic(_checked(photographs), vocabulary)


def _files(folder: epath.PathLike) -> list[epath.Path]:
  """Without hidden ones, which macOS leaves beside each image of an archive."""
  root = epath.Path(folder)
  if not root.is_dir():
    raise errors.InputError(f"{folder}: no such folder")
  return sorted(file for file in root.iterdir() if not file.name.startswith("."))


def _read_lines(file: epath.Path) -> list[dict[str, Any]]:
  names = ("file_name", "id", "type", "object_label", "attack_word")
  try:
    lines = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
  except (OSError, ValueError) as error:
    raise errors.InputError(f"cannot read {file}: {error}") from error
  for number, line in enumerate(lines, start=1):
    given = line if isinstance(line, dict) else {}
    missing = [name for name in names if not isinstance(given.get(name), str)]
    if missing:
      raise errors.InputError(f"{file}: entry {number} has no {missing[0]}")
  return lines


def _checked(photographs: list[Photograph]) -> list[Photograph]:
  seen: set[str] = set()
  for photograph in photographs:
    if photograph.label == photograph.word:
      raise errors.InputError(
        f"{photograph.file}: the word on it, {photograph.word!r}, is its label"
      )
    if photograph.id in seen:
      raise errors.InputError(f"{photograph.file}: a second image of the id {photograph.id!r}")
    seen.add(photograph.id)
  return photographs
