"""What every data set is: examples with stable ids, read at random, and what is said of them."""

import abc
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxbench import errors
from jaxbench.data.label_space import LabelSpace


class Example(NamedTuple):
  """One image as stored, decoded."""

  image: np.ndarray  # [h, w, 3] uint8, RGB, of any size.
  label: int  # Index into the source's class names.


class Frame(NamedTuple):
  """Where a frame of a video stands."""

  anchor: str  # Id of the frame that is evaluated; its neighbours have the same.
  offset: int  # Frames from there; 0 for the anchor.
  labels: tuple[int, ...]  # All that are right.


class Source(abc.ABC):
  """A data set. An id names an example wherever the data lies and however it is ordered.

  Your own needs class names, ids, labels, a hash, and `__getitem__`; all else has defaults, which
  it replaces where it knows more. A class that is no `Source` but has these and a length serves
  too, wherever this package takes one: `complete` gives it the defaults.

  Example:
    >>> class Noise(data.Source):
    ...   class_names, sha256 = ("dark", "light"), "1"
    ...   ids, labels = ("noise/0", "noise/1"), (0, 1)
    ...   def __getitem__(self, index):
    ...     image = np.random.default_rng(index).integers(0, 256, (32, 32, 3), np.uint8)
    ...     return data.Example(image, self.labels[index])
    >>> data.DATA_SETS["noise"] = Noise  # Now a config may name it.
  """

  class_names: Sequence[str]  # What the labels mean.
  ids: Sequence[str]  # One for each example.
  labels: Sequence[int]  # Of each example, known without decoding it.

  image_size: int | None = None  # Both sides of all images, in pixels, where they are the same.
  # Of each example a second class that its image suggests; None where it is the label.
  targets: Sequence[int | None] | np.ndarray | None = None
  frames: Sequence[Frame] | None = None  # Of each example, where the data set is of videos.
  # Of each example all labels that are right, `labels` the first; None where that is the only one.
  right: Sequence[Sequence[int]] | None = None
  # Of each example the number of the WebDataset shard that holds it, in the shards' order.
  shards: Sequence[int] | None = None
  # Of a set of images with captions, what its examples are to find: see `records.directions`.
  direction: str | None = None

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of whatever fixes the images and labels."""
    raise NotImplementedError(f"{type(self).__name__} has no sha256")

  @functools.cached_property
  def label_space(self) -> LabelSpace:
    """The classes, and how models of others answer in them; by default those that it names."""
    return LabelSpace(tuple(self.class_names))

  @functools.cached_property
  def groups(self) -> Sequence[int] | None:
    """The number of what each example is read together with; None where each is read alone."""
    return None

  @functools.cached_property
  def left_out(self) -> Mapping[str, int]:
    """How many files of its place are no examples, by the reason."""
    return {}

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of some examples alone, whose images are read, and no others.

    By default that of the whole: such a source does not know its examples apart.

    Args:
      indices: which examples.
      read: images whose hashes are not known; else the answer is "" where there are such.
    """
    return self.sha256

  def image_hashes(self, indices: Sequence[int]) -> list[str | None]:
    """A SHA-256 of what fixes each of the images at `indices`; None for one that cannot be read.

    No other is read. By default that of the whole: such a source does not know its examples apart.
    """
    return [self.sha256] * len(indices)

  def __len__(self) -> int:
    """Number of examples."""
    return len(self.ids)

  @abc.abstractmethod
  def __getitem__(self, index: int) -> Example:
    """The example whose id is `ids[index]`.

    Raises:
      BadImage: its image cannot be read or decoded.
    """


def check_classes(name: str, source: Source) -> None:
  """Raises InputError if the data set `name` has one class alone, so that any answer is right."""
  if len(source.class_names) == 1:
    raise errors.InputError(
      f"data set {name} has a single class, {source.class_names[0]!r}: whatever a model says would "
      "be right; name a folder with a folder for each class"
    )
