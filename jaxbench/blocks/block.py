"""Some examples in memory, decoded."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxbench import data, models
from jaxbench.blocks import cache


@dataclasses.dataclass(frozen=True)
class Block:
  """Some examples, decoded for one preprocessing."""

  source: data.Source
  preprocess: models.Preprocess
  indices: np.ndarray  # [N] int, into `source`.
  ids: list[str]
  hashes: np.ndarray  # [N, 2] uint32, of the ids.
  images: np.ndarray  # [N, S, S, 3] uint8.
  labels: np.ndarray  # [N] int32.
  pictured: np.ndarray  # [N] bool: a picture of it is kept.

  def at(self, rows: np.ndarray) -> "Block":
    """Some of the examples."""
    names = ("indices", "hashes", "images", "labels", "pictured")
    some = {name: getattr(self, name)[rows] for name in names}
    return dataclasses.replace(self, ids=[self.ids[row] for row in rows], **some)

  def centre(self, size: int) -> "Block":
    """The same examples without what the preprocessing has kept around `size` x `size`."""
    first = self.preprocess.before(self.images.shape[1], size)
    shown = slice(first, first + size)
    return dataclasses.replace(self, images=self.images[:, shown, shown])


class Unreadable(NamedTuple):
  """Examples whose images cannot be read."""

  ids: list[str]
  labels: np.ndarray  # [N] int32.
  errors: list[str]


def stream(
  source: data.Source,
  blocks: Sequence[Sequence[int]],
  preprocess: models.Preprocess,
  pictures: Sequence[int],
  workers: int,
  folder: str | os.PathLike[str] | None = None,
) -> Iterator[tuple[Block, Unreadable]]:
  """Decodes block after block, each once for all cells that share it, ahead of the caller.

  Args:
    source: of the examples.
    blocks: indices into it.
    preprocess: of the models that will see them.
    pictures: for each block, of so many of its first examples a picture is kept.
    workers: processes that decode; 0 is threads of this one.
    folder: of a cache of decoded images, see `cache.stream`; None decodes all.
  """
  if source.image_size == 0:
    batches = _unseen(source, blocks)
  elif folder is None:
    batches = data.stream(source, blocks, preprocess, workers)
  else:
    batches = cache.stream(source, blocks, preprocess, folder, workers)
  known = source.labels
  for where, batch, count in zip(blocks, batches, pictures, strict=True):
    labels = np.array([known[index] for index in where], np.int32)
    bad = np.flatnonzero(~batch.readable).tolist()
    lost = Unreadable([source.ids[where[row]] for row in bad], labels[bad], batch.errors)
    indices = np.asarray(where, int)[batch.readable]
    ids = [source.ids[index] for index in indices]
    hashes = np.array([data.hash_id(name) for name in ids], np.uint32).reshape(-1, 2)
    pictured = np.arange(len(ids)) < count
    yield (
      Block(source, preprocess, indices, ids, hashes, batch.images, batch.labels, pictured),
      lost,
    )


def _unseen(source: data.Source, blocks: Sequence[Sequence[int]]) -> Iterator[data.Batch]:
  """Batches of a set that has no images."""
  for where in blocks:
    labels = np.array([source.labels[index] for index in where], np.int32)
    images = np.zeros((len(where), 0, 0, 3), np.uint8)
    yield data.Batch(images, labels, np.ones(len(where), bool), [])
