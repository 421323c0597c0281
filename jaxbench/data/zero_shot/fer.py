"""FER2013 (Goodfellow et al., 2013): faces of 48 pixels, in folders or in a table."""

import csv
import pathlib

import numpy as np

from jaxbench import errors
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.source import Source
from jaxbench.data.zero_shot.listed import by_folder
from jaxbench.data.zero_shot.pixels import pixels

# The table's numbers, in the order of folders: it has neutral last, folders have sad and surprise.
_BY_NUMBER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_TABLES = ("fer2013.csv", "icml_face_data.csv")


def fer2013(path: pathlib.Path, space: LabelSpace) -> Source:
  """The test images: both halves of it, public and private, where a table tells them apart."""
  found = [path / name for name in _TABLES if (path / name).is_file()]
  if not found:
    return by_folder(path / "test" if (path / "test").is_dir() else path, space)
  assert space.written is not None
  images, labels = [], []
  with found[0].open(newline="") as file:
    for row in csv.DictReader(file, skipinitialspace=True):
      if row["Usage"].endswith("Test"):
        images.append(np.array(row["pixels"].split(), np.uint8).reshape(48, 48, 1))
        labels.append(space.written.index(_BY_NUMBER[int(row["emotion"])]))
  if not images:
    raise errors.InputError(f"{found[0]} has no rows whose Usage is PublicTest or PrivateTest")
  return pixels(np.repeat(np.stack(images), 3, axis=-1), np.array(labels), space)
