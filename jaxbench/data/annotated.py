"""A source with what else its authors say of the examples: label space, frames, textures."""

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jaxbench.data.label_space import LabelSpace
from jaxbench.data.labelled import Labelled
from jaxbench.data.source import Example, Source


class Frame(NamedTuple):
  """Where a frame of a video stands."""

  anchor: str  # Id of the frame that is evaluated; its neighbours have the same.
  offset: int  # Frames from there; 0 for the anchor.
  labels: tuple[int, ...]  # All that are right.


class Annotated:
  """`source` in a label space: a `Source`.

  Args:
    source: with labels in that space.
    label_space: of the set.
    crop: pixels cut off on all four sides.
    targets: of each example a second class that its image suggests; None where it is the label.
    frames: of each example, for videos.
  """

  def __init__(
    self,
    source: Labelled,
    label_space: LabelSpace,
    *,
    crop: int = 0,
    targets: Sequence[int | None] | None = None,
    frames: Sequence[Frame] | None = None,
  ):
    self.label_space, self.targets, self.frames = label_space, targets, frames
    self.class_names, self.ids, self.labels = label_space.class_names, source.ids, source.labels
    self.source, self._crop = source, crop

  @property
  def left_out(self) -> dict[str, int]:
    """That of the source."""
    return self.source.left_out

  @property
  def groups(self) -> list[int] | None:
    """Those of the source."""
    return self.source.groups

  @functools.cached_property
  def sha256(self) -> str:
    """Of the source, and of all that is said here."""
    return self._hash(self.source.sha256, self.targets, self.frames)

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """As `sha256`, of some examples; without `read`, "" where that is not known."""
    some = sorted(indices)
    said = (one and [one[index] for index in some] for one in (self.targets, self.frames))
    source = self.source.sha256_of(some, read=read)
    return source and self._hash(source, *said)

  def image_hashes(self, indices: Sequence[int]) -> list[str | None]:
    """Of each of some examples, a SHA-256 of its file and the crop; None where it has none."""
    found = self.source.image_hashes(indices)
    return [one and f"{one}, {self._crop} pixels cut off" for one in found]

  def _hash(self, source: str, targets: Any, frames: Any) -> str:
    return hashlib.sha256(json.dumps([source, self._crop, targets, frames]).encode()).hexdigest()

  def __len__(self) -> int:
    """Number of examples."""
    return len(self.ids)

  def __getitem__(self, index: int) -> Example:
    """The example `ids[index]`."""
    example = self.source[index]
    height, width, _ = example.image.shape
    cut = slice(self._crop, height - self._crop), slice(self._crop, width - self._crop)
    return example._replace(image=example.image[cut])


def targets(source: Source) -> Sequence[int | None] | None:
  """Of each example a second class, where a data set has one."""
  return getattr(source, "targets", None)


def frames(source: Source) -> Sequence[Frame] | None:
  """Of each example, where a data set is of videos."""
  return getattr(source, "frames", None)


def has_several_labels(source: Source) -> bool:
  """Whether an image of a data set may have several right answers."""
  return any(len(frame.labels) > 1 for frame in frames(source) or ())


def columns(source: Source, indices: Iterable[int]) -> dict[str, Any]:
  """What records hold of the examples besides ids and labels: columns of `records.SCHEMA`."""
  where = list(indices)
  found: dict[str, Any] = {}
  if (second := targets(source)) is not None:
    some = (second[index] for index in where)
    found["target"] = [None if target is None else int(target) for target in some]
  if (moments := frames(source)) is not None:
    found["anchor"] = [moments[index].anchor for index in where]
    found["offset"] = [moments[index].offset for index in where]
    several = (moments[index].labels for index in where)
    found["labels"] = [list(labels) if len(labels) > 1 else None for labels in several]
  return found
