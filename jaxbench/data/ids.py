"""Ids of examples: one for all copies of an image, and the order and key that come of it."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

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
