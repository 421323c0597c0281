"""Which examples of a data set are evaluated, and in which order."""

import itertools

from jaxbench.data.annotated import frames
from jaxbench.data.source import Source, canonical_order


def sample(source: Source, limit: int) -> list[int]:
  """Indices of the examples, at random but the same always.

  A smaller sample is the first part of a larger one. Videos count by their anchors, whose frames
  stay together.

  Args:
    source: of the examples.
    limit: how many; 0 is all.
  """
  where = frames(source)
  if where is None:
    return canonical_order(source.ids)[: limit or None]
  sets: dict[str, list[int]] = {}
  for index, frame in enumerate(where):
    sets.setdefault(frame.anchor, []).append(index)
  anchors = list(sets)
  chosen = canonical_order(anchors)[: limit or None]
  return list(itertools.chain(*(sets[anchors[row]] for row in chosen)))
