"""Data sets by name, and how their images reach a model.

A source yields examples as stored (uint8, any size); `stream` and `load_images` run a model's
preprocessing.
"""

from collections.abc import Callable

from jaxbench import errors
from jaxbench.data.arrays import Arrays
from jaxbench.data.decode import BadImage
from jaxbench.data.digits import Digits
from jaxbench.data.folder import folder
from jaxbench.data.labelled import Labelled
from jaxbench.data.parquet import parquet
from jaxbench.data.pipeline import Batch, load_images, stream
from jaxbench.data.sample import hash_sample, sample
from jaxbench.data.source import Example, Source, canonical_order, hash_id, image_size
from jaxbench.data.subsets import SUBSETS
from jaxbench.data.tfds import tfds
from jaxbench.data.typographic import SCAM_TYPES, Typographic, rta_100, scam
from jaxbench.data.webdataset import webdataset

DATA_SETS: dict[str, Callable[[], Source]] = {"digits": Digits}


def load(name: str) -> Source:
  """The data set `name`.

  Raises:
    InputError: there is no such data set.
  """
  if name not in DATA_SETS:
    raise errors.unknown("data set", name, DATA_SETS)
  return DATA_SETS[name]()


__all__ = [
  "DATA_SETS",
  "SCAM_TYPES",
  "SUBSETS",
  "Arrays",
  "BadImage",
  "Batch",
  "Digits",
  "Example",
  "Labelled",
  "Source",
  "Typographic",
  "canonical_order",
  "folder",
  "hash_id",
  "hash_sample",
  "image_size",
  "load",
  "load_images",
  "parquet",
  "rta_100",
  "sample",
  "scam",
  "stream",
  "tfds",
  "webdataset",
]
