"""The classes of a data set, and how a classifier of other classes answers in them."""

import dataclasses
import itertools

from jaxbench import errors
from jaxbench.data import imagenet

Groups = tuple[tuple[int, ...], ...]  # [K], of each class the logits that count as it.


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

  def supervised_groups(self, num_classes: int) -> Groups | None:
    """The logits of each class in a supervised classifier; None: they are the classes.

    Raises:
      InputError: a classifier of `num_classes` classes cannot answer.
    """
    if num_classes == len(self.class_names):
      return None
    if num_classes == len(imagenet.wnids()) and self.imagenet is not None:
      return self.imagenet
    raise errors.InputError(f"it has {num_classes} classes, the data set {len(self.class_names)}")
