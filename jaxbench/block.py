"""Some examples in memory, as they are or with words on them."""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from jaxbench import data, models, typography


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


def load(
  source: data.Source, indices: Iterable[int], preprocess: models.Preprocess, pictures: int
) -> Block:
  """Decodes the examples at `indices`, once for all cells that share them.

  Args:
    source: of the examples.
    indices: into it.
    preprocess: of the models that will see them.
    pictures: of so many of the first a picture is kept.
  """
  where = list(indices)
  images, labels = data.load_images(source, where, preprocess)
  ids = [source.ids[index] for index in where]
  hashes = np.stack([data.hash_id(name) for name in ids])
  pictured = np.arange(len(ids)) < pictures
  return Block(source, preprocess, np.array(where), ids, hashes, images, labels, pictured)


def write(
  block: Block, overlay: typography.Overlay, seed: int, logits: np.ndarray | None
) -> tuple[Block, np.ndarray]:
  """The block with a word on each image, and the classes [N] int32 whose names they are.

  Args:
    block: of clean images.
    overlay: which words, and how they are written.
    seed: of the run.
    logits: [N, K] of the clean images, for words that depend on them.

  Raises:
    InputError: the data set has no such classes, or an image has no room for a word.
  """
  names = block.source.class_names
  if not overlay.original:
    images, targets = typography.attack(
      overlay, block.images, block.ids, block.labels, names, seed=seed, logits=logits
    )
    return dataclasses.replace(block, images=images), targets
  targets = overlay.words.choose(block.ids, block.labels, names, seed=seed, logits=logits)
  words = {
    index: overlay.words.text(names[target])
    for index, target in zip(block.indices.tolist(), targets, strict=True)
  }
  ids = block.source.ids
  written = _Edited(
    block.source, lambda index, image: overlay.write(image, words[index], ids[index], seed)
  )
  images, _ = data.load_images(written, block.indices.tolist(), block.preprocess)
  return dataclasses.replace(block, images=images), targets


class _Edited:
  """A source whose images are changed before any preprocessing."""

  def __init__(self, source: data.Source, edit: Callable[[int, np.ndarray], np.ndarray]):
    self._source, self._edit = source, edit
    self.class_names, self.ids, self.sha256 = source.class_names, source.ids, source.sha256

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> data.Example:
    example = self._source[index]
    return example._replace(image=self._edit(index, example.image))
