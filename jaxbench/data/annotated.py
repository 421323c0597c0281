"""A source with what else its authors say of the examples: label space, frames, other classes."""

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from jaxbench.data.label_space import LabelSpace
from jaxbench.data.source import Example, Frame, Source
from jaxbench.data.wrapper import Wrapper, complete


class Annotated(Wrapper):
  """`source` in a label space: a `Source`.

  Args:
    source: with labels in that space.
    label_space: of the set.
    crop: pixels cut off on all four sides.
    targets: of each example a second class that its image suggests; None where it is the label.
    frames: of each example, for videos.
    right: of each example all labels that are right, for images with several.
  """

  source: Any  # Labelled, for those that ask it for more than a Source has.

  def __init__(
    self,
    source: Source,
    label_space: LabelSpace,
    *,
    crop: int = 0,
    targets: Sequence[int | None] | None = None,
    frames: Sequence[Frame] | None = None,
    right: Sequence[Sequence[int]] | None = None,
  ):
    super().__init__(source)
    self.label_space, self.class_names = label_space, label_space.class_names
    self.targets, self.frames, self.right, self._crop = targets, frames, right, crop
    self.image_size = source.image_size and source.image_size - 2 * crop

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of the source, and of all that is said here."""
    return self._hash(self.source.sha256, self.targets, self.frames, self.right)

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of some examples alone; without `read`, "" where that is not known."""
    rows = sorted(indices)
    lists = (self.targets, self.frames, self.right)
    said = (each and [each[row] for row in rows] for each in lists)
    source = self.source.sha256_of(rows, read=read)
    return source and self._hash(source, *said)

  def image_hashes(self, indices: Sequence[int]) -> list[str | None]:
    """A SHA-256 of file and crop for each of some examples; None where a file has none."""
    hashes = self.source.image_hashes(indices)
    return [content and f"{content}, {self._crop} pixels cut off" for content in hashes]

  def _hash(self, source: str, targets: Any, frames: Any, right: Any) -> str:
    said = [source, self._crop, targets, frames, *([right] if right else [])]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()

  def __getitem__(self, index: int) -> Example:
    """The example `ids[index]`."""
    example = self.source[index]
    height, width, _ = example.image.shape
    cut = slice(self._crop, height - self._crop), slice(self._crop, width - self._crop)
    return example._replace(image=example.image[cut])


def has_several_labels(source: Source) -> bool:
  """Whether an image of a data set may have several right answers."""
  return any(len(labels) > 1 for labels in _right(source) or ())


def columns(source: Source, indices: Iterable[int]) -> dict[str, Any]:
  """What records hold of the examples besides ids and labels: columns of `records.SCHEMA`.

  Args:
    source: of the examples.
    indices: which of them; a column has an entry for each.
  """
  rows = list(indices)
  targets, frames = complete(source).targets, complete(source).frames
  content: dict[str, Any] = {}
  if (direction := complete(source).direction) is not None:
    content["direction"] = [direction] * len(rows)
  if targets is not None:
    second = (targets[row] for row in rows)
    content["target"] = [None if target is None else int(target) for target in second]
  if frames is not None:
    content["anchor"] = [frames[row].anchor for row in rows]
    content["offset"] = [frames[row].offset for row in rows]
  if (right := _right(source)) is not None:
    answers = (right[row] for row in rows)
    content["labels"] = [list(labels) if len(labels) > 1 else None for labels in answers]
  return content


def _right(source: Source) -> Sequence[Sequence[int]] | None:
  """Of each example all labels that are right; None where its label is the only one."""
  whole = complete(source)
  if whole.frames is None:
    return whole.right
  return [frame.labels for frame in whole.frames]
