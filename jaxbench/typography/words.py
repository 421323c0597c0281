"""Which class's name is written on which example."""

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxbench import errors

TARGETS = ("random", "second")


@dataclasses.dataclass(frozen=True)
class Words:
  """A rule for the class that is written.

  It never shares its name or its text with the label: ImageNet has two missiles and, as RoZ
  writes them, two cranes. Of classes with one text the first stands for all, since between equal
  logits it is the one that wins. An example whose label leaves none of the listed classes takes
  one of all the others, by the same rule.

  Raises:
    InputError: there is no such rule, or the list is empty.
  """

  target: str = "random"  # Or "second": the most likely class other than the label.
  spelling: Mapping[str, str] | None = None  # Class name to text: what is listed; None lists all.
  complete: bool = True  # Whether a data set must have all that is listed.
  recorded: Callable[[str], str | None] | None = None  # Example id to class name: earlier draws.

  def __post_init__(self):
    if self.target not in TARGETS:
      raise errors.unknown("target", self.target, TARGETS)
    if self.spelling is not None and not self.spelling:
      raise errors.InputError("the list of classes to write is empty")

  def text(self, class_name: str) -> str:
    """What is written for a class."""
    return (self.spelling or {}).get(class_name, class_name)

  def choose(
    self,
    ids: Sequence[str],
    labels: Sequence[int] | np.ndarray,
    class_names: Sequence[str],
    *,
    seed: int = 0,
    logits: np.ndarray | None = None,
  ) -> np.ndarray:
    """The class that is written on each example, from its id, never from its position.

    Args:
      ids: of N examples.
      labels: [N].
      class_names: K, of the data set.
      seed: of the run.
      logits: [N, K] of the clean images; "second" needs them.

    Returns:
      int32 [N].

    Raises:
      InputError: the data set lacks a listed class, or all its classes are called alike.
    """
    if self.target == "second" and logits is None:
      raise ValueError("the second best class needs the logits of the clean images")
    classes = _Classes(self, class_names)
    targets = np.empty(len(ids), np.int32)
    for row, (example, label) in enumerate(zip(ids, map(int, labels), strict=True)):
      recorded = classes.find(self.recorded(example)) if self.recorded else None
      others = classes.others(label)
      if recorded is not None and classes.differ(recorded, label):
        targets[row] = recorded
      elif logits is not None and self.target == "second":
        targets[row] = others[logits[row, others].argmax()]
      else:
        rng = np.random.default_rng(example_seed(seed, example, "word"))
        targets[row] = others[rng.integers(len(others))]
    return targets


class _Classes:
  """The classes of a data set, and which of them may stand on which."""

  def __init__(self, words: Words, class_names: Sequence[str]):
    texts = [_plain(words.text(name)) for name in class_names]
    spelling = class_names if words.spelling is None else words.spelling
    missing = [name for name in spelling if name not in class_names]
    if missing and (words.complete or len(missing) == len(spelling)):
      near = difflib.get_close_matches(missing[0], class_names, n=1) or class_names[:1]
      raise errors.InputError(
        f"cannot write {missing[0]!r}: the data set has no such class, but {near[0]!r} for one"
      )
    self._names = class_names
    self._called = [{_plain(name), text} for name, text in zip(class_names, texts, strict=True)]
    everything = range(len(class_names))
    listed = [label for label in everything if class_names[label] in spelling]
    self._lists = [_first_of_each(texts, listed), _first_of_each(texts, everything)]
    self.others = functools.cache(self._others)

  def find(self, name: str | None) -> int | None:
    """The first class of that name."""
    return self._names.index(name) if name in self._names else None

  def differ(self, first: int, second: int) -> bool:
    """Whether no name or text of one class could be meant for the other."""
    return not self._called[first] & self._called[second]

  def _others(self, label: int) -> np.ndarray:
    """Those that may be written on an example of a class."""
    for classes in self._lists:
      if others := [other for other in classes if self.differ(other, label)]:
        return np.array(others)
    raise errors.InputError(f"the data set has no class but {self._names[label]!r}")


def example_seed(seed: int, example: str, purpose: str) -> list[int]:
  """Seeds one example's draws for one purpose, for `numpy.random.default_rng`."""
  return [seed, *f"{purpose}:{example}".encode()]


def _first_of_each(texts: Sequence[str], classes: Sequence[int]) -> list[int]:
  """The first of the classes with each text, in order."""
  return sorted({texts[label]: label for label in reversed(classes)}.values())


def _plain(name: str) -> str:
  return " ".join(name.casefold().split())
