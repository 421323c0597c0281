"""Which examples of a data set are evaluated, and in which order."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence

from jaxbench.data.annotated import frames
from jaxbench.data.source import Source, canonical_order
from jaxbench.data.subsets import subset


def sample(source: Source, limit: int, part: str = "") -> list[int]:
  """Indices of the examples, at random but the same always.

  A smaller sample is the first part of a larger one. Videos count by their anchors, whose frames
  stay together.

  Args:
    source: of the examples.
    limit: how many; 0 is all.
    part: the subset from which they are, as `subset` takes it; "" is the whole.

  Raises:
    InputError: there is no such subset, or the data set lacks some of it.
  """
  sets = _sets(source)
  names = list(sets)
  order = canonical_order(names)
  if part:
    labels = [source.labels[sets[name][0]] for name in names]
    kept = set(subset(part)(names, labels))
    order = [row for row in order if row in kept]
  return list(itertools.chain(*(sets[names[row]] for row in order[: limit or None])))


def hash_sample(source: Source, indices: Iterable[int]) -> str:
  """SHA-256 of the ids of some examples, in whatever order."""
  ids = sorted(source.ids[index] for index in indices)
  return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def _sets(source: Source) -> Mapping[str, Sequence[int]]:
  """What stays together: by the id of an example, or of an anchor, which comes first, indices."""
  where = frames(source)
  if where is None:
    return {name: [index] for index, name in enumerate(source.ids)}
  sets: dict[str, list[int]] = {}
  for index in sorted(range(len(where)), key=lambda index: where[index].offset != 0):
    sets.setdefault(where[index].anchor, []).append(index)
  return sets
