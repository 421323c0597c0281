"""What every data set is: examples with stable ids, read at random."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np


class Example(NamedTuple):
  """One image as stored, decoded."""

  image: np.ndarray  # [h, w, 3] uint8, RGB, of any size.
  label: int  # Index into the source's class names.


class Source(Protocol):
  """A data set. An id names an example wherever the data lies and however it is ordered."""

  @property
  def class_names(self) -> Sequence[str]:
    """What the labels mean."""

  @property
  def ids(self) -> Sequence[str]:
    """One for each example."""

  @property
  def labels(self) -> Sequence[int]:
    """Of each example, known without decoding it."""

  @property
  def sha256(self) -> str:
    """Of whatever fixes the images and labels."""

  def __len__(self) -> int:
    """Number of examples."""

  def __getitem__(self, index: int) -> Example:
    """The example whose id is `ids[index]`."""


def image_size(source: Source) -> int | None:
  """Both sides of all images, in pixels, of a source that has such a size and says so."""
  return getattr(source, "image_size", None)


def left_out(source: Source) -> Mapping[str, int]:
  """How many files of its place a source has left out, by the reason."""
  return getattr(source, "left_out", {})


# The hub's imagenet-1k appends the class to the names that ImageNet's own archives have.
_HUB_NAME = re.compile(r"(ILSVRC2012_(?:val|test)_\d{8}|\bn\d{8}_\d+)_n\d{8}(?=\.|$)")


def canonical_id(name: str) -> str:
  """The id of an image whose name some publishers have changed: one for all copies of it."""
  return _HUB_NAME.sub(r"\1", name)


def hash_id(text: str) -> np.ndarray:
  """uint32 [2]: the first 64 bits of BLAKE2b, to order by and to fold into a PRNG key."""
  return np.frombuffer(hashlib.blake2b(text.encode(), digest_size=8).digest(), ">u4").astype("u4")


def canonical_order(ids: Sequence[str]) -> list[int]:
  """Indices of `ids` in the order of their hashes: however a source is sorted, the same order.

  Any first part of it is a random sample that does not change when more is asked for.
  """
  return sorted(range(len(ids)), key=lambda index: (*hash_id(ids[index]).tolist(), ids[index]))
