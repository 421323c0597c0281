"""Data sets that TensorFlow Datasets has prepared, read without TensorFlow."""

import functools
import os
import pathlib
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from jaxbench import errors
from jaxbench.data import agreement, classes, image_files
from jaxbench.data.disk_cache import remember
from jaxbench.data.labelled import Labelled

_LENGTH = struct.Struct("<Q")
_CHECKSUM = 4  # Bytes: one follows the length, one the record.
_SLICE = re.compile(r"(?P<split>[^\[\]]+)\[(?P<part>\d*%?:\d*%?)\]")


def tfds(
  path: str | os.PathLike[str],
  class_names: classes.Wanted | None = None,
  *,
  labels: Mapping[str, int] | None = None,
  split: str,
  image: str = "image",
  label: str = "label",
  file_name: str = "file_name",
) -> Labelled:
  """A prepared data set, in TFRecord, ArrayRecord or Parquet files.

  An id is the example's `file_name` where the data set has it; else its number in the split, whose
  order TFDS has fixed for each version. Images are decoded by Pillow, like those of other sources.

  Args:
    path: the local folder of one version, `~/tensorflow_datasets/imagenet_a/0.1.0`.
    class_names: what the labels mean; by default those in its description. Where both are there,
      those of the description are looked up among these.
    labels: of the labels that are stored, as text; by default they count the classes.
    split: "test", "validation", ...; or a part in the stored order, "train[21600:]", "test[50%:]".
    image: the feature that is the image.
    label: the feature that is the label.
    file_name: the feature that names the example.

  Raises:
    InputError: there is no prepared data set, split or feature, a file is truncated, or a class is
      none of the set's.
  """
  prepared = Prepared(pathlib.Path(path).expanduser(), split, image, label, file_name)
  if labels is None:
    used = set(prepared.labels)
    meaning = classes.numbered(str(path), prepared.class_names, used, class_names)
  else:
    meaning = classes.given(str(path), class_names or prepared.class_names, labels)
  source = Labelled.of(prepared, prepared.names, prepared.labels, meaning)
  if labels is None:
    agreement.check(str(path), source.ids, source.labels, class_names or meaning.names)
  return source


def prepared_splits(path: pathlib.Path) -> list[str]:
  """The splits of a prepared data set.

  Raises:
    InputError: it is none.
  """
  return list(_builder(path).info.splits)


def versions(path: pathlib.Path) -> list[pathlib.Path]:
  """The folders of prepared data sets below one of their names."""
  descriptions = [*path.glob("*/dataset_info.json"), *path.glob("*/*/dataset_info.json")]
  return sorted(file.parent for file in descriptions)


def _builder(path: pathlib.Path) -> Any:
  import tensorflow_datasets  # Slow to import.

  try:
    return tensorflow_datasets.builder_from_directory(path)
  except Exception as error:  # Of JSON, of protocol buffers, of the file system.
    raise errors.InputError(
      f"{path} is no data set that TFDS has prepared: it needs dataset_info.json and "
      "features.json, both whole, in the folder of a version"
    ) from error


class Prepared(image_files.Files):
  """The encoded images of one split: `Files`."""

  def __init__(self, path: pathlib.Path, split: str, image: str, label: str, file_name: str):
    self.where, self._path, self._image = str(path), path, image
    self._label, self._file_name = label, file_name
    self.left_out: dict[str, int] = {}  # Records hold examples and nothing else.
    features, splits = self._builder.info.features, self._builder.info.splits
    self._split, part = _part(split)
    if self._split not in splits:
      raise errors.unknown(f"split of {path}", self._split, splits)
    for feature in (image, label):
      if feature not in features:
        raise errors.unknown(f"feature of {path}", feature, features)
    self.class_names: list[str] | None = getattr(features[label], "names", None)
    try:
      described = remember("tfds1", [self.stamp, label, file_name], self._describe)
    except errors.InputError:
      raise
    except Exception as error:  # Each format's library has its own.
      raise image_files.unreadable(f"the split {split} of {path}", error) from error
    self._kept = _indices(f"{path}: {split}", part, len(described))
    self.names = [described[index][0] for index in self._kept]
    self.labels = [described[index][1] for index in self._kept]

  def __getstate__(self) -> dict[str, Any]:
    """Without what is open; a process that unpickles it opens it again."""
    opened = ("_builder", "_records")
    return {name: value for name, value in self.__dict__.items() if name not in opened}

  @functools.cached_property
  def stamp(self) -> Any:
    """Place, size and time of each file of the split, and the feature."""
    return [self._image, *(image_files.stamp(path) for path in self._files())]

  def read(self, index: int) -> bytes:
    """The content of one image."""
    try:
      return bytes(self._example(self._kept[index])[self._image])
    except Exception as error:
      raise image_files.unreadable(f"example {index} of {self._path}", error) from error

  @functools.cached_property
  def _builder(self) -> Any:
    return _builder(self._path)

  @functools.cached_property
  def _records(self) -> Any:
    if self._builder.info.file_format.value == "tfrecord":
      return TFRecords(self._files())
    from tensorflow_datasets import decode

    raw = decode.DeserializeMethod.RAW_BYTES
    return self._builder.as_data_source(self._split, deserialize_method=raw)

  def _files(self) -> list[pathlib.Path]:
    return [pathlib.Path(path) for path in self._builder.info.splits[self._split].filepaths]

  def _example(self, index: int) -> dict[str, Any]:
    from tensorflow_datasets import decode

    skip = {self._image: decode.SkipDecoding()}
    features = self._builder.info.features
    return features.deserialize_example_np(self._records[index], decoders=skip)

  def _describe(self) -> list[tuple[str, str]]:
    """Name and label of every example."""
    described = []
    for index in range(len(self._records)):
      example = self._example(index)
      named = example.get(self._file_name, b"%08d" % index)
      described.append((named.decode(), str(int(example[self._label]))))
    return described


def _part(split: str) -> tuple[str, str]:
  """The split and what of it is meant: "train[21600:]" is ("train", "21600:")."""
  match = _SLICE.fullmatch(split)
  return (match["split"], match["part"]) if match else (split, ":")


def _indices(where: str, part: str, count: int) -> range:
  """What `part` means of `count` examples; per cents are rounded to the nearest, as TFDS does.

  Raises:
    InputError: there are fewer.
  """

  def place(text: str, default: int) -> int:
    if not text:
      return default
    return round(int(text[:-1]) * count / 100) if text.endswith("%") else int(text)

  start, _, stop = part.partition(":")
  kept = range(place(start, 0), place(stop, count))
  if not kept or kept.stop > count:
    raise errors.InputError(f"{where} is no part of its {count:,} examples")
  return kept


class TFRecords:
  """Random access to the records of some TFRecord files, by an index of where they lie."""

  def __init__(self, paths: Sequence[pathlib.Path]):
    self._paths = paths
    self._spans = [
      (number, start, size)
      for number, path in enumerate(paths)
      for start, size in remember(
        "tfrecord1", image_files.stamp(path), functools.partial(_spans, path)
      )
    ]

  def __len__(self) -> int:
    """Number of records."""
    return len(self._spans)

  def __getitem__(self, index: int) -> bytes:
    """One record."""
    number, start, size = self._spans[index]
    with self._paths[number].open("rb", buffering=0) as file:
      return os.pread(file.fileno(), size, start)


def _spans(path: pathlib.Path) -> list[tuple[int, int]]:
  """First byte and size of each record.

  Raises:
    InputError: the file ends within a record.
  """
  spans, place, end = [], 0, path.stat().st_size
  with path.open("rb") as file:
    while place < end:
      file.seek(place)
      header = file.read(_LENGTH.size)
      if len(header) == _LENGTH.size:
        (size,) = _LENGTH.unpack(header)
        start = place + _LENGTH.size + _CHECKSUM
        place = start + size + _CHECKSUM
      if len(header) < _LENGTH.size or place > end:
        raise errors.InputError(f"{path} ends within a record; copy it again")
      spans.append((start, size))
  return spans
