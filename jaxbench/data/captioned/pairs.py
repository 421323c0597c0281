"""Images and their captions, and the two sets of examples that they make."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np

from jaxbench import errors
from jaxbench.data.captioned.space import CaptionSpace
from jaxbench.data.ids import canonical_id
from jaxbench.data.image_files import Files
from jaxbench.data.labelled import Labelled
from jaxbench.data.source import Example, Source
from jaxbench.data.wrapper import Wrapper
from jaxbench.records import directions


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
  """N images with T captions. No rank depends on their order, which is that of the ids."""

  source: Source  # The images [N]; the label of each is its place.
  captions: tuple[str, ...]  # [T], as published, image by image.
  owners: tuple[int, ...]  # [T], the place of the image that each is of.

  @classmethod
  def of(cls, files: Files, entries: Iterable[tuple[int, str, Sequence[str]]]) -> "Pairs":
    """Puts them in order.

    Args:
      files: where the images are.
      entries: of each image its place among the files, its id, and its captions.

    Raises:
      InputError: an image has no caption, or two have one id.
    """
    ordered = sorted(entries, key=lambda entry: canonical_id(entry[1]))
    for _, name, captions in ordered:
      if not captions:
        raise errors.InputError(f"{files.where}: the image {name!r} has no caption")
    rows = [(index, name, label) for label, (index, name, _) in enumerate(ordered)]
    source = Labelled(files, [canonical_id(name) for _, name, _ in ordered], rows)
    owned = [(text, owner) for owner, (*_, captions) in enumerate(ordered) for text in captions]
    return cls(source, tuple(text for text, _ in owned), tuple(owner for _, owner in owned))

  @property
  def caption_ids(self) -> list[str]:
    """[T], the id of the image and which of its captions it is: "3.jpg#0"."""
    counts = [0] * len(self.source)
    names = []
    for owner in self.owners:
      names.append(f"{self.source.ids[owner]}#{counts[owner]}")
      counts[owner] += 1
    return names

  @functools.cached_property
  def space(self) -> CaptionSpace:
    """In which both sets answer."""
    return CaptionSpace(tuple(self.source.ids), captions=self.captions, owners=self.owners)

  def told(self, images: str) -> str:
    """A hash of all captions, and of whatever fixes the `images`; "" where that is not known."""
    said = [images, list(self.source.ids), self.captions, self.owners]
    return images and hashlib.sha256(json.dumps(said).encode()).hexdigest()


class Images(Wrapper):
  """The images of pairs, each a class of its own: what they are to find are their captions."""

  direction = directions.IMAGE_TO_TEXT

  def __init__(self, pairs: Pairs):
    super().__init__(pairs.source)
    self.pairs, self.label_space = pairs, pairs.space
    self.left_out: dict[str, int] = {}  # A folder may well hold images that no list names.

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of images and captions."""
    return self.pairs.told(self.source.sha256)

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of some images and of all captions; without `read`, "" where that is not known."""
    return self.pairs.told(self.source.sha256_of(indices, read=read))


class Captions(Source):
  """The captions of pairs, which have no image of their own: they are to find the one they tell."""

  direction = directions.TEXT_TO_IMAGE
  image_size = 0  # There is nothing to decode.

  def __init__(self, pairs: Pairs):
    self.pairs, self.label_space = pairs, pairs.space
    self.class_names, self.ids, self.labels = pairs.source.ids, pairs.caption_ids, pairs.owners

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of captions and images: the rank of one depends on all others."""
    return self.pairs.told(self.pairs.source.sha256)

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """That of the whole; without `read`, "" where it is not known."""
    del indices
    return self.pairs.told(self.pairs.source.sha256_of(range(len(self.pairs.source)), read=read))

  def __getitem__(self, index: int) -> Example:
    """Nothing to see, and whose caption it is."""
    return Example(np.zeros((0, 0, 3), np.uint8), self.labels[index])
