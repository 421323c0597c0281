"""Words on images: a rule for the word and a layout, as a config names them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxbench import errors
from jaxbench.typography.layout import Layout, draw
from jaxbench.typography.words import Words, example_seed


@dataclasses.dataclass(frozen=True)
class Overlay:
  """What is written on the images of a data set, and how."""

  words: Words
  layout: Layout
  original: bool = False  # Written on the image as stored, before a model's preprocessing.

  @property
  def knowledge(self) -> str:
    """What the attacker must know of the classifier."""
    return "its classes" + (" and its logits" if self.words.target == "second" else "")

  def write(self, image: np.ndarray, word: str, example: str, seed: int) -> np.ndarray:
    """The image uint8 [H, W, 3] of one example with a word on it, at places drawn from its id."""
    return draw(image, word, self.layout, example_seed(seed, example, "places"))


def text(
  *,
  target: str = Words.target,
  classes: tuple[str, ...] | None = None,
  size: float = Layout.size,
  copies: int = Layout.copies,
  place: str = Layout.place,
  color: str = Layout.color,
  outline: float = Layout.outline,
  outline_color: str = Layout.outline_color,
  opacity: float = Layout.opacity,
  font: str = Layout.font,
) -> Overlay:
  """Writes the name of a wrong class on each image, at the model's resolution.

  By default as Azuma & Matsui (2023, arXiv:2304.04512) make their training images: one copy at a
  random place, with an outline, 28 pixels on 224 where they draw 20 to 40.

  Args:
    target: which class: "random", the same whatever the layout; or "second", the most likely one
      besides the label.
    classes: names of those that may be written; all by default, and one for a fixed target, whose
      own examples take others.
    size: of `Layout`, like those that follow.

  Raises:
    InputError: an argument is out of range, or `classes` is empty.
  """
  spelling = None if classes is None else {name: name for name in _names(classes)}
  layout = Layout(
    size=size,
    copies=copies,
    place=place,
    color=color,
    outline=outline,
    outline_color=outline_color,
    opacity=opacity,
    font=font,
  )
  return Overlay(Words(target, spelling), layout)


def attack(
  overlay: Overlay,
  images: np.ndarray,
  ids: Sequence[str],
  labels: Sequence[int] | np.ndarray,
  class_names: Sequence[str],
  *,
  seed: int = 0,
  logits: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
  """Writes on a batch of images.

  What is drawn depends on an example's id and the seed, not on the batch.

  Args:
    overlay: made by one of `OVERLAYS`.
    images: uint8 [N, H, W, 3].
    ids: N, of the examples.
    labels: [N].
    class_names: K, of the data set.
    seed: of the run.
    logits: [N, K] of the clean images, for target="second".

  Returns:
    the images with words on them, uint8 [N, H, W, 3], and the written classes, int32 [N].

  Raises:
    InputError: a word cannot be chosen or written.

  Example:
    >>> drawn, targets = typography.attack(typography.text(), images, ids, labels, class_names)
  """
  targets = overlay.words.choose(ids, labels, class_names, seed=seed, logits=logits)
  words = [overlay.words.text(class_names[target]) for target in targets]
  rows = zip(images, words, ids, strict=True)
  return np.stack([overlay.write(*row, seed) for row in rows]), targets


def _names(classes: tuple[str, ...]) -> tuple[str, ...]:
  if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
    raise errors.InputError(f"classes must be a tuple of names like ('dog',), not {classes!r}")
  return classes
