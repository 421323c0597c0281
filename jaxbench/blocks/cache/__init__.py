"""Preprocessed images on the disk, shared by runs: the first decodes them, later ones read pixels.

Below the cache each data set and preprocessing has a folder of parts: an array_record file of
pixels, one record an image, and beside it a JSON index with their ids and checksums. A part is
whole or not there, and is never changed; whatever a run decodes that no part has, it adds as one.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import PIL

from jaxbench import data, errors, models
from jaxbench.blocks.cache.part import Part
from jaxbench.blocks.cache.source import Kept, find


def stream(
  source: data.Source,
  batches: Sequence[Sequence[int]],
  preprocess: models.Preprocess,
  folder: str | os.PathLike[str],
  workers: int = 0,
) -> Iterator[data.Batch]:
  """`data.stream`, which decodes only what the cache lacks; the batches are equal to the bit.

  Images are known by their own hash and id, the ids of their data set, the preprocessing and the
  version of Pillow. A damaged record is decoded anew, and standard error says so, as it says how
  much will be written.
  Of runs that lack the same images at the same time, one writes them.

  Args:
    source: of the examples.
    batches: indices into it.
    preprocess: of the models that will see them.
    folder: of the cache; local, new or one that other runs fill.
    workers: processes that decode; 0 is threads of this one.

  Raises:
    InputError: the folder cannot be written, or its disk has not the room.
  """
  if "://" in os.fspath(folder):
    raise errors.InputError(f"--cache={folder} is not a folder of this machine; name a local one")
  described = {
    "ids": data.hash_sample(source, range(len(source))),
    "preprocess": repr(preprocess),
    "pillow": PIL.__version__,
  }
  key = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:32]
  place = pathlib.Path(folder).expanduser() / key
  indices = sorted({int(index) for indices in batches for index in indices})
  names = [source.ids[index] for index in indices]
  hashes = dict(zip(names, data.image_hashes(source, indices), strict=True))
  kept = Kept(source, preprocess, find(place, hashes))
  lacking = {name: content or "" for name, content in hashes.items() if name not in kept.records}
  part = Part(place, described, lacking)
  decoded = data.stream(kept, batches, np.asarray, workers)
  try:
    for number, (wanted, batch) in enumerate(zip(batches, decoded, strict=True), start=1):
      part.add([source.ids[index] for index in np.asarray(wanted)[batch.readable]], batch.images)
      if number == len(batches):
        part.publish()  # Whoever has all batches may never ask for the end.
      yield batch
  finally:
    part.publish()
