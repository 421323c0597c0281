"""Which examples of a data set are evaluated, and in which order."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence

from jaxbench.data.ids import canonical_order
from jaxbench.data.source import Source
from jaxbench.data.subsets import subset
from jaxbench.data.wrapper import complete
from jaxbench.records import directions


def sample(source: Source, limit: int | str, part: str = "") -> list[int]:
  """Indices of the examples, at random but the same always.

  A smaller sample is the first part of a larger one. Videos count by their anchors, whose frames
  stay together; and captions by the images that they are of.

  Args:
    source: of the examples.
    limit: how many; 0 is all. Or a share, "1%", of which at least one.
    part: the subset from which they are, as `subset` takes it; "" is the whole.

  Raises:
    InputError: there is no such subset, or the data set lacks some of it.
  """
  sets = _sets(source)
  names = list(sets)
  order = canonical_order(names)
  if part:
    labels = [source.labels[sets[name][0]] for name in names]
    shards = complete(source).shards
    of_shards = shards and [shards[sets[name][0]] for name in names]
    kept = set(subset(part)(names, labels, of_shards))
    order = [row for row in order if row in kept]
  count = limit if isinstance(limit, int) else _share(limit, len(order))
  return list(itertools.chain(*(sets[names[row]] for row in order[: count or None])))


def _share(text: str, total: int) -> int:
  return max(1, round(float(text.removesuffix("%")) / 100 * total))


def hash_content(source: Source, indices: Sequence[int], *, read: bool = True) -> str:
  """SHA-256 of images and labels: of all, `sha256`; of a part, of it alone, no other image is read.

  Args:
    source: of the images.
    indices: which of them.
    read: images whose hashes are not known; else the answer is "" where there are such.
  """
  if read and len(indices) == len(source):
    return source.sha256
  return complete(source).sha256_of(indices, read=read)


def image_hashes(source: Source, indices: Sequence[int]) -> list[str | None]:
  """As `Source.image_hashes`, of anyone's data set."""
  return complete(source).image_hashes(indices)


def blocks(source: Source, indices: Sequence[int], size: int) -> list[list[int]]:
  """Cuts a sample into blocks of at most `size` examples: lists of some of its `indices`.

  Of a source that reads groups of examples at once, a block has few of them, which are whole but
  for the first and the last, so that a pass reads each hardly more than once. The groups are in the
  order in which the sample first has them, as random as it is, and so are the examples of a block.
  """
  groups = complete(source).groups
  order = list(range(len(indices)))
  if groups is not None:
    read_with = [groups[index] for index in indices]
    rank = {group: place for place, group in enumerate(dict.fromkeys(read_with))}
    order.sort(key=lambda place: rank[read_with[place]])
  parts = (sorted(order[start : start + size]) for start in range(0, len(order), size))
  return [[indices[place] for place in part] for part in parts]


def hash_sample(source: Source, indices: Iterable[int]) -> str:
  """SHA-256 of the ids of the examples at `indices`, in whatever order they are given."""
  ids = sorted(source.ids[index] for index in indices)
  return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def _sets(source: Source) -> Mapping[str, Sequence[int]]:
  """What stays together, by the id of an example, of an anchor or of captions' image: indices.

  An anchor is the first of its own.
  """
  frames = complete(source).frames
  sets: dict[str, list[int]] = {}
  if complete(source).direction == directions.TEXT_TO_IMAGE:
    for index, owner in enumerate(source.labels):
      sets.setdefault(source.class_names[owner], []).append(index)
    return sets
  if frames is None:
    return {name: [index] for index, name in enumerate(source.ids)}
  for index in sorted(range(len(frames)), key=lambda index: frames[index].offset != 0):
    sets.setdefault(frames[index].anchor, []).append(index)
  return sets
