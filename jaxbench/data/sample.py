"""Which examples of a data set are evaluated, and in which order."""

import hashlib
import json
from collections.abc import Iterable

from jaxbench.data.source import Source, canonical_order
from jaxbench.data.subsets import subset


def sample(source: Source, limit: int, part: str = "") -> list[int]:
  """Indices of the examples, at random but the same always.

  A smaller sample is the first part of a larger one.

  Args:
    source: of the examples.
    limit: how many; 0 is all.
    part: the subset from which they are, as `subset` takes it; "" is the whole.

  Raises:
    InputError: there is no such subset, or the data set lacks some of it.
  """
  order = canonical_order(source.ids)
  if part:
    kept = set(subset(part)(source.ids, source.labels))
    order = [index for index in order if index in kept]
  return order[: limit or None]


def hash_sample(source: Source, indices: Iterable[int]) -> str:
  """SHA-256 of the ids of some examples, in whatever order."""
  ids = sorted(source.ids[index] for index in indices)
  return hashlib.sha256(json.dumps(ids).encode()).hexdigest()
