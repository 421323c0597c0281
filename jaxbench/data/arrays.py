"""Images that are in memory, or in a mapped .npy file."""

import functools
import hashlib
import json
from collections.abc import Sequence

import numpy as np

from jaxbench import errors
from jaxbench.data.source import Example, Source


class Arrays(Source):
  """Images of one size with a label each: a `Source`.

  Args:
    images: uint8 [N, h, w, 3], RGB; also `np.load(file, mmap_mode="r")`.
    labels: integers [N], into `class_names`.
    class_names: what the labels mean.
    ids: one for each image; by default its number, as "000012".

  Raises:
    InputError: shapes or dtypes are others, a label is out of range, or an id comes twice.

  Example:
    >>> images = np.load("CIFAR-10-C/fog.npy", mmap_mode="r")  # Five severities in a row.
    >>> labels = np.load("CIFAR-10-C/labels.npy")
    >>> fog_3 = data.Arrays(images[20_000:30_000], labels[20_000:30_000], names)
  """

  def __init__(
    self,
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    ids: Sequence[str] | None = None,
  ):
    self._images, self.class_names = images, tuple(class_names)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or not len(images):
      raise errors.InputError(
        f"images must be uint8 [N, h, w, 3], not {images.dtype} {list(images.shape)}"
      )
    numbers = np.asarray(labels)
    if numbers.shape != (len(images),) or numbers.dtype.kind not in "iu":
      raise errors.InputError(
        f"labels must be integers [{len(images)}], not {numbers.dtype} {list(numbers.shape)}"
      )
    outside = numbers[(numbers < 0) | (numbers >= len(class_names))]
    if len(outside):
      last = len(class_names) - 1
      raise errors.InputError(f"label {outside[0]} is out of range: the classes are 0 to {last}")
    self.labels = [int(label) for label in numbers]
    self.ids = [f"{row:06d}" for row in range(len(images))] if ids is None else list(ids)
    if len(set(self.ids)) != len(images):
      raise errors.InputError(f"{len(images)} images need as many different ids")
    height, width = images.shape[1:3]
    self.image_size = height if height == width else None

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of ids, labels and pixels, in the order of the ids."""
    return self.sha256_of(range(len(self)))

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of some images alone; without `read`, ""."""
    if not read:
      return ""
    lines = sorted(
      [self.ids[i], self.labels[i], *self._images[i].shape, _hash(self._images[i])] for i in indices
    )
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()

  def image_hashes(self, indices: Sequence[int]) -> list[str | None]:
    """The SHA-256 of the pixels of each of some images."""
    return [_hash(self._images[index]) for index in indices]

  def __getitem__(self, index: int) -> Example:
    """The image `ids[index]`."""
    return Example(np.asarray(self._images[index]), self.labels[index])


def _hash(image: np.ndarray) -> str:
  return hashlib.sha256(image.tobytes()).hexdigest()
