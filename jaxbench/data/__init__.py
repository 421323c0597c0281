"""Data sets by name, and how their images reach a model.

A source yields examples as stored (uint8, any size); `stream` and `load_images` run a model's
preprocessing.
"""

import os
import pathlib
from collections.abc import Callable

from jaxbench import errors, spec
from jaxbench.data import catalog, custom
from jaxbench.data.annotated import Annotated, columns, has_several_labels
from jaxbench.data.arrays import Arrays
from jaxbench.data.captioned import Captions, Images, Pairs, is_retrieval, retrieval
from jaxbench.data.captioned import read as read_retrieval
from jaxbench.data.captioned.caption import CLEANINGS, Wording
from jaxbench.data.captioned.probe import Probe, is_probe, probe
from jaxbench.data.captioned.space import CaptionSpace, OptionSpace, Sentences
from jaxbench.data.decode import BadImage
from jaxbench.data.digits import Digits
from jaxbench.data.folder import folder
from jaxbench.data.ids import canonical_order, hash_id
from jaxbench.data.image_files import NOTES, counted
from jaxbench.data.imagenet import wnids
from jaxbench.data.label_space import Groups, LabelSpace
from jaxbench.data.labelled import OTHER_CLASSES, Labelled
from jaxbench.data.layout import layout
from jaxbench.data.parquet import parquet
from jaxbench.data.pipeline import Batch, load_images, stream
from jaxbench.data.printed_digits import printed
from jaxbench.data.sample import blocks, hash_content, hash_sample, image_hashes, sample
from jaxbench.data.source import Example, Frame, Source, check_classes
from jaxbench.data.subsets import SUBSETS
from jaxbench.data.texts import Texts, TextSpace, are_texts, read_texts
from jaxbench.data.tfds import tfds
from jaxbench.data.typographic import SCAM_TYPES, Typographic, rta_100, scam
from jaxbench.data.webdataset import webdataset
from jaxbench.data.wrapper import Wrapper, complete
from jaxbench.records import directions

DATA_SETS: dict[str, Callable[[], Source]] = {  # That need no files.
  "digits": Digits,
  "digits-train": lambda: Digits("train"),
  "digits-printed": printed,
}
CATALOG = catalog.CATALOG  # That a person has on the disk.


def load(name: str, root: str | os.PathLike[str] | None = None) -> Source:
  """A data set by name or by path.

  Args:
    name: the embedded "digits", or "digits-train", which its models were trained on; a key of
      `CATALOG`, for a published set that is on the disk; or the path of one's own set, which may be
      followed by what cannot be guessed of it, "PATH(split='train', label='fine_label')", see
      `custom.read`, and of images with captions `retrieval`. "captions of NAME" are the captions of
      such a set.
    root: the folder of the published sets; by default that of the environment's JAXBENCH_DATA.

  Raises:
    InputError: there is no such data set, or it is not there, or not whole.
  """
  if directions.are_captions(name):
    return _captions(name, root)
  if name in DATA_SETS:
    return complete(DATA_SETS[name]())
  if name in CATALOG:
    return complete(CATALOG[name].read(find(name, root)))
  if (own_set := _own(name)) is not None:
    return own_set
  names = [*DATA_SETS, *(other for other in CATALOG if "/" not in other)]
  raise errors.unknown("data set", name, [*names, "imagenet-c/fog/3", "imagenet-p/tilt"])


def _captions(name: str, root: str | os.PathLike[str] | None) -> Source:
  """Those of a set of images."""
  source = load(directions.images_of(name), root)
  if not isinstance(source, Images):
    raise errors.InputError(f"{name}: that set has no captions")
  return Captions(source.pairs)


def _own(name: str) -> Source | None:
  """One's own set, with what is said of it in brackets; None if there is no such path."""
  if (path := pathlib.Path(name).expanduser()).exists():
    return _reader(path)(path)
  place, bracket, said = name.rpartition("(")
  if not bracket or not (path := pathlib.Path(place).expanduser()).exists():
    return None
  read = _reader(path)
  resolved = spec.resolve(f"read({said}", {"read": read}, f"what is said of the data set {place}:")
  return read(path, **resolved.arguments)


def _reader(path: pathlib.Path) -> Callable[..., Source]:
  if is_probe(path):
    return probe
  if are_texts(path):
    return read_texts
  return read_retrieval if is_retrieval(path) else custom.read


def find(name: str, root: str | os.PathLike[str] | None = None) -> pathlib.Path:
  """Where the published data set `name` lies.

  Raises:
    InputError: it is not there, or there is no root.
  """
  place, published = root or os.environ.get("JAXBENCH_DATA"), CATALOG[name]
  if not place:
    raise errors.InputError(
      f"data set {name} is looked for in a folder: set --config.data_root or JAXBENCH_DATA; "
      f"get it from {published.origin}"
    )
  folder = pathlib.Path(place).expanduser()
  if (location := published.find(folder)) is not None:
    return location
  near = published.near(folder)
  raise errors.InputError(
    f"data set {name} is not in {place}, as {' or '.join(published.places[:3])}; "
    f"{near or f'get it from {published.origin}'}"
  )


def absence(name: str, root: str | os.PathLike[str] | None = None) -> str | None:
  """Why a published data set is not on this disk, and where to get it; None if it is there.

  Args:
    name: as `load` takes it; what is no published set is there.
    root: likewise.
  """
  if (name := directions.images_of(name)) not in CATALOG:
    return None
  try:
    find(name, root)
  except errors.InputError as error:
    return str(error)
  return None


def shortfall(name: str, source: Source) -> str | None:
  """What to know of a data set that is not there in full or not only; None if there is nothing.

  Notes beside the images are no loss, nor are files of classes that a set does not have.

  Args:
    name: of the data set, as `load` takes it.
    source: what `load` has returned.
  """
  no_loss = {*NOTES, OTHER_CLASSES}
  lost = {why: count for why, count in complete(source).left_out.items() if why not in no_loss}
  notes = [f"left out: {counted(lost)}"] if lost else []
  if name in CATALOG and len(source) < (published := CATALOG[name].examples):
    notes.insert(0, f"it has {len(source):,} images of the {published:,} that were published")
  return "; ".join(notes) or None


def check_whole(name: str, source: Source) -> None:
  """Raises InputError if a set that papers report whole has fewer images than were published.

  Whoever means a part says so, by a limit or a subset.
  """
  known = CATALOG.get(name)
  if known is not None and known.whole and len(source) < known.examples:
    raise errors.InputError(
      f"data set {name} has {len(source):,} of its {known.examples:,} images: get it whole, from "
      f"{known.origin}, or say how many you mean, as --config.limit={len(source)}"
    )


__all__ = [
  "CATALOG",
  "CLEANINGS",
  "DATA_SETS",
  "SCAM_TYPES",
  "SUBSETS",
  "Annotated",
  "Arrays",
  "BadImage",
  "Batch",
  "CaptionSpace",
  "Captions",
  "Digits",
  "Example",
  "Frame",
  "Groups",
  "Images",
  "LabelSpace",
  "Labelled",
  "OptionSpace",
  "Pairs",
  "Probe",
  "Sentences",
  "Source",
  "TextSpace",
  "Texts",
  "Typographic",
  "Wording",
  "Wrapper",
  "absence",
  "blocks",
  "canonical_order",
  "check_classes",
  "check_whole",
  "columns",
  "complete",
  "counted",
  "find",
  "folder",
  "has_several_labels",
  "hash_content",
  "hash_id",
  "hash_sample",
  "image_hashes",
  "layout",
  "load",
  "load_images",
  "parquet",
  "printed",
  "probe",
  "retrieval",
  "rta_100",
  "sample",
  "scam",
  "shortfall",
  "stream",
  "tfds",
  "webdataset",
  "wnids",
]
