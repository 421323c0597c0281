"""Preprocessed images, from the parts of a cache or else from their source."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxbench import data, models
from jaxbench.blocks.cache.part import crc32, say


class Record(NamedTuple):
  """Where the pixels of one image are."""

  file: pathlib.Path
  pixels: Sequence[bytes]  # Of the file.
  row: int
  crc32: int  # Of the id and the pixels.


class Kept(data.Wrapper):
  """The preprocessed images of a source, decoded only where there is no record: a `Source`."""

  def __init__(
    self, source: data.Source, preprocess: models.Preprocess, records: dict[str, Record]
  ):
    super().__init__(source)
    self._preprocess, self.records = preprocess, records
    self.ids, self.labels, self.image_size = source.ids, source.labels, preprocess.size

  def __getitem__(self, index: int) -> data.Example:
    name = self.ids[index]
    if (record := self.records.get(name)) is not None:
      try:
        return data.Example(self._read(name, record), self.labels[index])
      except (RuntimeError, ValueError) as error:
        say(f"{name!r} is damaged in {record.file}: decoded anew ({error})")
    return data.Example(self._preprocess(self.source[index].image), self.labels[index])

  def _read(self, name: str, record: Record) -> np.ndarray:
    content, size = record.pixels[record.row], self._preprocess.size
    if crc32(name, content) != record.crc32:
      raise ValueError("another checksum")
    return np.frombuffer(content, np.uint8).reshape(size, size, 3)


def find(place: pathlib.Path, hashes: Mapping[str, str | None]) -> dict[str, Record]:
  """The records of images in all sound parts, by id.

  Args:
    place: folder of the parts.
    hashes: of each image by id; what was kept of another image of that id is left aside.
  """
  import grain  # Slow to import.

  records: dict[str, Record] = {}
  for index in place.glob("*.json"):
    try:
      content = json.loads(index.read_text())
      file = index.with_suffix(".array_record")
      pixels = grain.sources.ArrayRecordDataSource(str(file))
      rows = zip(content["ids"], content["sha256"], content["crc32"], strict=True)
      if len(pixels) != len(content["ids"]):
        raise ValueError(f"{len(pixels)} images of {len(content['ids'])}")
      records |= {
        name: Record(file, pixels, row, checksum)
        for row, (name, sha256, checksum) in enumerate(rows)
        if hashes.get(name) == sha256
      }
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
      say(f"{index} is of no use ({error}); remove {place}, and it is made anew")
  return records
