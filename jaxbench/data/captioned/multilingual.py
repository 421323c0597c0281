"""Captions in other languages: XTD10's text files and XM3600's JSON lines."""

import json
import pathlib

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.captioned.lists import Entry

NAMES = "test_image_names.txt"  # Of XTD10.
_CAPTIONS = "test_1kcaptions_{}.txt"


def xtd10(folder: pathlib.Path, language: str | None) -> list[Entry]:
  """1,000 images of COCO with a caption each (Aggarwal & Kale, 2020, arXiv:2012.05107).

  Args:
    folder: with the names of the images and a file of captions for each language.
    language: as its file has it, "de"; English by default.

  Raises:
    InputError: there is no such language, or lines are missing.
  """
  names = image_files.read_lines(folder / NAMES)
  captions = image_files.read_lines(_of(folder, language or "en"))
  if len(names) != len(captions):
    raise errors.InputError(f"{folder}: {len(names)} images and {len(captions)} captions")
  return [Entry(name.strip(), [text.strip()]) for name, text in zip(names, captions, strict=True)]


def _of(folder: pathlib.Path, language: str) -> pathlib.Path:
  if not (file := folder / _CAPTIONS.format(language)).is_file():
    start, _, end = _CAPTIONS.partition("{}")
    known = [each.name[len(start) : -len(end)] for each in folder.glob(_CAPTIONS.format("*"))]
    raise errors.unknown(f"language of {folder}", language, sorted(known))
  return file


def xm3600(path: pathlib.Path, language: str | None) -> list[Entry]:
  """3,600 images with captions in 36 languages (Thapliyal et al., 2022, arXiv:2205.12522).

  Args:
    path: `captions.jsonl`.
    language: as its keys have it, "de"; English by default.

  Raises:
    InputError: an image has no caption in that language.
  """
  found = []
  for line in image_files.read_lines(path):
    said = json.loads(line)
    if language is not None and language not in said:
      known = sorted(key for key, value in said.items() if isinstance(value, dict))
      raise errors.unknown(f"language of {path}", language, known)
    captions = said[language or "en"]["caption"]
    found.append(Entry(f"{said['image/key']}.jpg", list(captions)))
  return found
