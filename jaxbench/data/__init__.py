"""Data sets by name, and how their images reach a model.

A source yields examples as stored (uint8, any size); `load_images` runs a model's preprocessing.
"""

from collections.abc import Callable, Sequence

import grain
import numpy as np

from jaxbench import errors
from jaxbench.data.arrays import Arrays
from jaxbench.data.decode import BadImage
from jaxbench.data.digits import Digits
from jaxbench.data.folder import folder
from jaxbench.data.label_space import LabelSpace, label_space
from jaxbench.data.labelled import Labelled
from jaxbench.data.parquet import parquet
from jaxbench.data.source import Example, Source, canonical_order, hash_id
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


def load_images(
  source: Source, indices: Sequence[int], preprocess: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
  """Decoded, resized and cropped by reader threads.

  Returns:
    images uint8 [N, S, S, 3] and labels int32 [N], in the order of `indices`.
  """

  def read(index: int) -> tuple[np.ndarray, int]:
    example = source[index]
    return preprocess(example.image), example.label

  examples = grain.MapDataset.source(indices).map(read).to_iter_dataset()
  images, labels = zip(*examples, strict=True)
  return np.stack(images), np.asarray(labels, np.int32)


__all__ = [
  "DATA_SETS",
  "SCAM_TYPES",
  "Arrays",
  "BadImage",
  "Digits",
  "Example",
  "LabelSpace",
  "Labelled",
  "Source",
  "Typographic",
  "canonical_order",
  "folder",
  "hash_id",
  "label_space",
  "load",
  "load_images",
  "parquet",
  "rta_100",
  "scam",
  "tfds",
  "webdataset",
]
