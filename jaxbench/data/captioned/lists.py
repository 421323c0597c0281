"""Files that list images with their captions, in the forms in which retrieval sets are published.

Each reader returns entries in the order of the file; which form a file has, it says itself.
"""

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jaxbench import errors
from jaxbench.data import image_files


class Entry(NamedTuple):
  """An image as a list has it."""

  name: str  # Its path, or just its file.
  captions: list[str]
  number: str = ""  # COCO's id.

  @property
  def file(self) -> str:
    """The name of its file, which is its id."""
    return self.name.rpartition("/")[2]


def entries(path: pathlib.Path, split: str) -> list[Entry]:
  """What a file lists.

  Args:
    path: JSON of ALBEF, of Karpathy or of COCO, JSON lines of XM3600 after its language, the text
      of CLIP_benchmark's Flickr sets, or Flickr30k's `results_20130124.token`.
    split: of Karpathy's files, where all splits are in one.

  Raises:
    InputError: it cannot be read, or is none of these.
  """
  try:
    if found := _reader(path)(path, split):
      return found
    raise errors.InputError(f"{path} lists no images with captions")
  except errors.InputError:
    raise
  except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
    raise errors.InputError(
      f"{path} is no list of images with captions as they are published: {errors.reason(error)}"
    ) from error


def _reader(path: pathlib.Path) -> Callable[[pathlib.Path, str], list[Entry]]:
  if path.suffix == ".token":
    return _token
  return _text if path.suffix == ".txt" else _json


def _json(path: pathlib.Path, split: str) -> list[Entry]:
  content = json.loads(path.read_text("utf-8"))
  if isinstance(content, list):
    return [_albef(each) for each in content]
  if "annotations" in content:
    return list(_coco(content))
  found = [each for each in content["images"] if each["split"] == split]
  if not found:
    splits = sorted({each["split"] for each in content["images"]})
    raise errors.InputError(f"{path} has no split {split!r}; it has {', '.join(splits)}")
  return [
    Entry(
      each["filename"],
      [sentence["raw"] for sentence in each["sentences"]],
      str(each.get("cocoid", "")),
    )
    for each in found
  ]


def _albef(each: dict[str, Any]) -> Entry:
  captions = each["caption"]
  return Entry(each["image"], [captions] if isinstance(captions, str) else list(captions))


def _coco(content: dict[str, Any]) -> Iterator[Entry]:
  captions: dict[int, list[str]] = {}
  for annotation in content["annotations"]:
    captions.setdefault(annotation["image_id"], []).append(annotation["caption"])
  for image in content["images"]:
    yield Entry(image["file_name"], captions.get(image["id"], []), str(image["id"]))


def _text(path: pathlib.Path, _: str) -> list[Entry]:
  """Lines `name.jpg,caption`, below a header if there is one; captions have commas too."""
  first, *rest = lines = _lines(path)
  return _gathered(
    path, [line.partition(".jpg,") for line in (lines if ".jpg," in first else rest)], ".jpg"
  )


def _token(path: pathlib.Path, _: str) -> list[Entry]:
  """Lines `name.jpg#0<tab>caption`."""
  pairs = [line.partition("\t") for line in _lines(path)]
  return _gathered(path, [(name.rpartition("#")[0], tab, text) for name, tab, text in pairs])


def _gathered(
  path: pathlib.Path, parts: list[tuple[str, str, str]], suffix: str = ""
) -> list[Entry]:
  found: dict[str, list[str]] = {}
  for number, (name, between, caption) in enumerate(parts, start=1):
    if not (name and between):
      raise errors.InputError(f"{path}: entry {number} is {name!r}, no image with its caption")
    found.setdefault(name + suffix, []).append(caption)
  return [Entry(name, captions) for name, captions in found.items()]


def _lines(path: pathlib.Path) -> list[str]:
  """Those that end at a line feed: others, as U+2028, may be in a caption."""
  text = path.read_text("utf-8-sig").replace("\r\n", "\n")
  return [line for line in text.split("\n") if line.strip()]


def listed(some: list[Entry], path: pathlib.Path) -> list[Entry]:
  """Those that a text file names, by file, by file without its suffix or by COCO's id.

  Raises:
    InputError: it names an image that is not among them, or none.
  """
  known: dict[str, Entry] = {}
  for each in some:
    known |= {each.file: each, each.file.rpartition(".")[0]: each, each.number: each}
  names = [line.strip().rpartition("/")[2] for line in image_files.read_lines(path) if line.strip()]
  if not names:
    raise errors.InputError(f"{path} lists no images")
  if lost := [name for name in names if name not in known]:
    raise errors.InputError(
      f"{len(lost)} of the {len(names)} images that {path} lists have no captions; the first is "
      f"{lost[0]!r}"
    )
  return [known[name] for name in dict.fromkeys(names)]
