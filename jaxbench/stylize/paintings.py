"""The paintings whose styles are taken: images in a folder, one for each example."""

import os
from collections.abc import Iterable

import numpy as np
from PIL import Image

from jaxbench import data


class Paintings:
  """Images in a folder, also packed, whatever their names and subfolders.

  Stylized-ImageNet used 79,395 from Kaggle's "Painter by Numbers".

  Args:
    path: as `data.folder` takes it.

  Raises:
    InputError: see `data.folder`.
  """

  def __init__(self, path: str | os.PathLike[str]):
    self._source = data.folder(path, class_of=lambda _: "painting")
    self._order = sorted(range(len(self._source)), key=lambda index: self._source.ids[index])

  @property
  def sha256(self) -> str:
    """A hash of names and content."""
    return self._source.sha256

  def __len__(self) -> int:
    """Number of paintings."""
    return len(self._source)

  def choose(self, ids: Iterable[str], seed: int) -> list[int]:
    """For each example one painting at random, by its id and the seed alone.

    Args:
      ids: of the examples.
      seed: of the run.

    Returns:
      indices into the paintings, in the order of their names.
    """
    words = (int(data.hash_id(f"painting {seed} {name}")[0]) for name in ids)
    return [word % len(self) for word in words]

  def load(self, indices: Iterable[int], size: int) -> np.ndarray:
    """uint8 [N, size, size, 3]: the central square of each, resized as the original's are.

    Raises:
      InputError: a painting cannot be read.
    """

    def square(image: np.ndarray) -> np.ndarray:
      side = min(image.shape[:2])
      top, left = ((length - side) // 2 for length in image.shape[:2])
      cut = Image.fromarray(image[top : top + side, left : left + side])
      return np.asarray(cut.resize((size, size), Image.Resampling.LANCZOS))

    images, _ = data.load_images(self._source, [self._order[index] for index in indices], square)
    return images
