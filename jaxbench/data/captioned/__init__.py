"""Images with captions: sets of retrieval, in the forms in which they are published."""

import os
import pathlib

from jaxbench import errors
from jaxbench.data.captioned import lists, multilingual, shards
from jaxbench.data.captioned.lists import Entry
from jaxbench.data.captioned.pairs import Captions, Images, Pairs
from jaxbench.data.captioned.places import files_of, rows_of

__all__ = ["Captions", "Images", "Pairs", "is_retrieval", "read", "retrieval"]
FOLDS = 5  # Of COCO's 5,000 images, 1,000 each.
_LISTS = (".json", ".jsonl", ".txt", ".token")


def retrieval(
  path: str | os.PathLike[str],
  *,
  images: str | None = None,
  listed: str | None = None,
  split: str = "test",
  language: str | None = None,
  each: int = 0,
  fold: int = 0,
) -> Pairs:
  """A set of images with captions.

  Args:
    path: WebDataset shards as CLIP_benchmark has them on the hub (the folder with
      `dataset_type.txt`); a list, see `lists.entries`; or XTD10's folder.
    images: the folder of the images that a list names, or a tar of it, by default that of the list.
      They may lie deeper than the list has them, as long as their names are unique.
    listed: a file of the names or ids of those that count, for lists that hold more than a test.
    split: "test", "val", "train" or "restval" of Karpathy's files; the folder of shards.
    language: of a set that has several; English by default.
    each: so many captions of each image, the first ones; 0 is all.
    fold: one fifth of the images, 1 to 5 in the order in which they are listed; 0 is all. COCO-1k
      is the mean over the five of COCO, see `metrics.recalls_over_folds`.

  Raises:
    InputError: it is in none of these forms, or an image is not there: without it, recall would
      rise.

  Example:
    >>> pairs = data.retrieval("dataset_coco.json", images="coco/val2014")
    >>> len(pairs.source), len(pairs.captions)
    (5000, 25010)
  """
  place = pathlib.Path(path).expanduser()
  if not isinstance(each, int) or each < 0:
    raise errors.InputError(f"{path}: each={each!r} is no number of captions")
  if isinstance(fold, bool) or fold not in range(1 + FOLDS):
    raise errors.InputError(f"{path}: fold={fold!r} is not in 1..{FOLDS}")
  if shards.are_shards(place):
    if images or listed or language:
      raise errors.InputError(f"{path} holds its images itself, and all of them count")
    files, keys, captions = shards.read(place, split)
    named = list(zip(range(len(keys)), keys, captions, strict=True))
  else:
    found = _entries(place, split, language)
    if listed:
      found = lists.listed(found, pathlib.Path(listed).expanduser())
    folder = place if place.is_dir() else place.parent
    files = files_of(folder if images is None else pathlib.Path(images).expanduser())
    rows = rows_of(files, [one.name for one in found])
    named = [(row, one.file, one.captions) for row, one in zip(rows, found, strict=True)]
  if fold:
    named = named[len(named) * (fold - 1) // FOLDS : len(named) * fold // FOLDS]
  return Pairs.of(files, [(row, name, texts[: each or None]) for row, name, texts in named])


def read(
  path: pathlib.Path,
  *,
  images: str | None = None,
  listed: str | None = None,
  split: str = "test",
  language: str | None = None,
  each: int = 0,
  fold: int = 0,
) -> Images:
  """The images of a set, as a config names it; see `retrieval`."""
  pairs = retrieval(
    path, images=images, listed=listed, split=split, language=language, each=each, fold=fold
  )
  return Images(pairs)


def is_retrieval(path: pathlib.Path) -> bool:
  """Whether what lies there is a set of images with captions, in one of the known forms."""
  if path.is_file():
    return path.suffix in _LISTS
  return shards.are_shards(path) or (path / multilingual.NAMES).is_file()


def _entries(place: pathlib.Path, split: str, language: str | None) -> list[Entry]:
  if place.is_dir() and (place / multilingual.NAMES).is_file():
    return multilingual.xtd10(place, language)
  if place.suffix == ".jsonl":
    return multilingual.xm3600(place, language)
  if language is not None:
    raise errors.InputError(f"{place} is in one language")
  if not place.is_file():
    raise errors.InputError(
      f"{place} holds no images with captions: name shards with a dataset_type.txt, or the file "
      "that lists them"
    )
  return lists.entries(place, split)
