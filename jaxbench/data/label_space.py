"""The classes of a data set, and how a classifier of other classes answers in them."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from jaxbench import errors
from jaxbench.data import imagenet

Groups = tuple[tuple[int, ...], ...]  # [K], of each class the logits that count as it.
# Who has published prompts for data sets.
CLIP_BENCHMARK, OPENAI, COOP, TECOA = "clip_benchmark", "openai", "coop", "tecoa"
# What papers report of a set.
TOP_1, MEAN_PER_CLASS = "top-1", "mean per class"
MEAN_AVERAGE_PRECISION = "mean average precision"


class Prompts(NamedTuple):
  """How a source asks for the classes of a set."""

  source: str
  class_names: tuple[str, ...]  # [K], as it writes them.
  templates: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class LabelSpace:
  """The K classes that labels and predictions of a data set are in.

  A classifier whose logits are not these classes is pooled: each class gets the logits of its
  group, as `models.pooled` has it. A group of one each is a restriction to K of ImageNet's classes.

  Zero-shot classifiers are built with the class names; or, where ImageNet's classes are finer, with
  ImageNet's names and pooled like supervised ones, as RoZ and imagenet-testbed do. Which of the two
  makes points of difference: CLIP's paper reports the first.
  """

  class_names: tuple[str, ...]  # [K], what labels mean.
  imagenet: Groups | None = None  # The ImageNet labels of each; None: ImageNet lacks the classes.
  own_names: bool = True  # Zero-shot classifiers are built with `class_names`.
  pool: str = "max"  # Of the logits of a group; or "mean" of their probabilities.
  written: tuple[str, ...] | None = None  # [K], what files call the classes, if that is else.
  prompts: tuple[Prompts, ...] = ()  # The set's own; the first are those of `own`.
  metric: str = TOP_1  # Of the set, as papers report it.
  scored: bool = False  # Records have all logits, since a figure of the set needs them.

  @property
  def prompted(self) -> tuple[str, ...]:
    """The names that a zero-shot classifier is built with, one per logit."""
    if self.own_names or self.imagenet is None:
      return self.class_names
    names = imagenet.class_names()
    return tuple(names[label] for label in itertools.chain(*self.imagenet))

  @property
  def prompted_groups(self) -> Groups | None:
    """The logits of each class among those of `prompted`; None: they are the classes."""
    if self.own_names or self.imagenet is None:
      return None
    logits = itertools.count()
    return tuple(tuple(next(logits) for _ in group) for group in self.imagenet)

  def supervised_groups(
    self, num_classes: int, class_names: Sequence[str] | None = None
  ) -> Groups | None:
    """The logits of each class in a supervised classifier; None: they are the classes.

    Args:
      num_classes: of the classifier.
      class_names: of its logits, if it tells: each class is the logit of its name.

    Raises:
      InputError: the classifier cannot answer.
    """
    if class_names is not None:
      return self._named_groups(class_names)
    if num_classes == len(self.class_names):
      return None
    if num_classes == len(imagenet.wnids()) and self.imagenet is not None:
      return self.imagenet
    raise errors.InputError(f"it has {num_classes} classes, the data set {len(self.class_names)}")

  def _named_groups(self, names: Sequence[str]) -> Groups | None:
    if tuple(names) == self.class_names:
      return None
    if tuple(names) == imagenet.class_names() and self.imagenet is not None:
      return self.imagenet
    places = {name: place for place, name in enumerate(names)}
    if len(places) < len(names):
      twice = next(name for place, name in enumerate(names) if places[name] != place)
      raise errors.InputError(f"two of its classes are called {twice!r}")
    if lacking := [name for name in self.class_names if name not in places]:
      more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
      raise errors.InputError(
        f"its class names lack {lacking[0]!r}{more} of the data set's {len(self.class_names)}"
      )
    return tuple((places[name],) for name in self.class_names)
