"""Sentences as classes, of which a classifier finds those that belong to an image."""

import dataclasses
from collections.abc import Sequence

from jaxbench import errors
from jaxbench.data.captioned.caption import Wording
from jaxbench.data.label_space import Groups, LabelSpace

RECALL = "R@1"  # What papers report of a retrieval set, of its images as of its captions.
PREFERRED = "right option preferred"  # And of a probe.


@dataclasses.dataclass(frozen=True)
class Sentences(LabelSpace):
  """A set whose classifiers read its own T sentences."""

  captions: tuple[str, ...] = ()  # [T], as published.

  def worded(self, prompts: str) -> tuple[str, ...]:
    """The sentences [T] as a model reads them.

    Args:
      prompts: name of a `Wording`.

    Raises:
      InputError: it is a prompt set, for names of classes.
    """
    wording = Wording.named(prompts)
    if wording is None:
      raise errors.InputError(f"{prompts} is for names of classes, and the set has captions")
    return tuple(map(wording.worded, self.captions))

  def supervised_groups(
    self, num_classes: int, class_names: Sequence[str] | None = None
  ) -> Groups | None:
    """Raises InputError: a classifier of fixed classes reads no captions."""
    raise errors.InputError("it has classes, and the set needs a model that reads captions")


@dataclasses.dataclass(frozen=True)
class CaptionSpace(Sentences):
  """The N images of a retrieval set; a classifier of its T captions is pooled by them.

  Its top-1 is then the recall at 1 of image-to-text retrieval, and its margin what an attack on
  that has to turn. Ranks beyond the first are those of captions, which no pooled logits have.
  """

  pool: str = "max"
  metric: str = RECALL
  owners: tuple[int, ...] = ()  # [T], the image of each, in order.

  @property
  def prompted_groups(self) -> Groups:
    """The captions of each image."""
    groups: list[list[int]] = [[] for _ in self.class_names]
    for caption, owner in enumerate(self.owners):
      groups[owner].append(caption)
    return tuple(map(tuple, groups))


@dataclasses.dataclass(frozen=True)
class OptionSpace(Sentences):
  """The N cases of a probe, each an image with M sentences of which the first is right."""

  class_names: tuple[str, ...] = ("the right option", "a wrong option")
  metric: str = PREFERRED
  options: tuple[tuple[int, ...], ...] = ()  # [N, M], places among the sentences.
  ties_are_right: bool = False  # Whether the probe's authors count them so.
