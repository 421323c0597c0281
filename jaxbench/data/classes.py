"""What files call their classes, found among the classes of a data set: by value, or refused."""

import collections
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from jaxbench import errors
from jaxbench.data import imagenet
from jaxbench.data.label_space import LabelSpace

Wanted = Sequence[str] | LabelSpace


class Classes(NamedTuple):
  """What the labels mean, and the label of each class as files write it."""

  names: tuple[str, ...]
  labels: Mapping[str, int]


def plain(text: str) -> str:
  """`text` without what people write differently: case, accents' encoding, underscores, spaces."""
  return " ".join(unicodedata.normalize("NFC", text).casefold().replace("_", " ").split())


class _Way(NamedTuple):
  """One way to call classes: pairs of a text and the label that it means."""

  pairs: list[tuple[str, int]]
  spoken: bool = False  # Case, underscores and spaces do not matter.

  def plain(self, text: str) -> str:
    return plain(text) if self.spoken else text

  def of(self, texts: Iterable[str]) -> dict[str, int | None]:
    """The labels of those texts that are known; None where one means several classes."""
    meant: dict[str, set[int]] = collections.defaultdict(set)
    for text, label in self.pairs:
      meant[self.plain(text)].add(label)
    labels_of = {text: meant[self.plain(text)] for text in texts if self.plain(text) in meant}
    return {text: min(labels) if len(labels) == 1 else None for text, labels in labels_of.items()}


def named(where: str, texts: Iterable[str], wanted: Wanted | None) -> Classes:
  """The classes of files that have one as text each, a folder's name or a column's value.

  Args:
    where: the place, for messages.
    texts: all that are used.
    wanted: the classes of the set; by default the texts themselves, sorted, numbers as numbers.

  Returns:
    What the labels mean, and the labels of those texts that are known: all of one kind, be it names
    (also those of WordNet), wnids, ImageNet's labels, or the numbers of the classes.

  Raises:
    InputError: a text means several classes.
  """
  used = set(texts)
  if wanted is None:
    names = _in_order(used)
    return Classes(names, {name: label for label, name in enumerate(names)})
  space = space_of(wanted)
  return Classes(space.class_names, _labels(where, used, space))


def given(where: str, names: Wanted | None, labels: Mapping[str, int]) -> Classes:
  """The classes of files whose labels somebody has written down.

  Args:
    where: the place, for messages.
    names: the classes of the set.
    labels: of each text that files have.

  Raises:
    InputError: there are no names.
  """
  if names is None:
    raise errors.InputError(f"{where}: labels were given without class_names")
  return Classes(space_of(names).class_names, labels)


def numbered(
  where: str, in_file: Sequence[str] | None, used: Collection[str], wanted: Wanted | None
) -> Classes:
  """The classes of files that number them, and may say what the numbers mean.

  Args:
    where: the place, for messages.
    in_file: the names of the classes in the order of the numbers; None: the file has none.
    used: the numbers of the examples, as text.
    wanted: the classes of the set; by default those of the file.

  Raises:
    InputError: there are no names, or the classes of the file are not those of the set.
  """
  if wanted is None and in_file is None:
    raise errors.InputError(f"{where} has numbers for labels and no names; name the classes")
  if wanted is None or in_file is None:
    names = tuple(in_file if wanted is None and in_file else space_of(wanted or ()).class_names)
    return Classes(names, {str(label): label for label in range(len(names))})
  space = space_of(wanted)
  for way in _ways(space, in_file):
    if [way.plain(text) for text, _ in way.pairs] == [way.plain(name) for name in in_file]:
      return Classes(space.class_names, {str(i): way.pairs[i][1] for i in range(len(in_file))})
  needed = {
    in_file[int(written)] for written in used if written.isdecimal() and int(written) < len(in_file)
  }
  label_of = _labels(where, set(in_file), space, needed)
  if missing := [name for name in in_file if name in needed and name not in label_of]:
    raise _mismatch(where, in_file, missing, space)
  labels = {str(number): label_of[name] for number, name in enumerate(in_file) if name in label_of}
  return Classes(space.class_names, labels)


def _labels(
  where: str, texts: set[str], space: LabelSpace, needed: Collection[str] = ()
) -> dict[str, int]:
  """By the way that knows most of the texts: their labels, and what else it knows."""
  way, labels = best(texts, space)
  if unclear := sorted(text for text in needed or texts if labels.get(text, 0) is None):
    raise errors.InputError(
      f"{where}: {unclear[0]!r} is the name of several classes of the set, and the classes are not "
      "in its order; name them by wnids"
    )
  return dict(way.pairs) | {text: label for text, label in labels.items() if label is not None}


def best(texts: set[str], space: LabelSpace) -> tuple[_Way, dict[str, int | None]]:
  """The way to write the classes of `space` that knows most of the texts, and their labels."""
  read = ((way, way.of(texts)) for way in _ways(space, texts))
  return max(read, key=lambda candidate: len(candidate[1]))


def _ways(space: LabelSpace, texts: Collection[str]) -> list[_Way]:
  """Those in which the classes of a set may be written; the first that knows most is taken."""
  labelled = [(name, label) for label, name in enumerate(space.class_names)]
  ways = [_Way(labelled), _Way(labelled, spoken=True)]
  if space.written is not None:
    ways.append(_Way([(name, label) for label, name in enumerate(space.written)], spoken=True))
  if space.imagenet is not None:
    members = [(synset, row) for row, group in enumerate(space.imagenet) for synset in group]
    shorts = [name.split(",")[0] for name in imagenet.synset_names()]
    numbers = [str(label) for label in range(len(shorts))]
    written = (imagenet.wnids(), numbers)
    spoken = (imagenet.synset_names(), imagenet.hub_names(), shorts)
    ways += [
      _Way([(names[synset], row) for synset, row in members], names in spoken)
      for names in (*written, *spoken)
    ]
  own_numbers = [(str(label), label) for label in range(len(space.class_names))]
  if set(texts) == {number for number, _ in own_numbers}:
    ways.append(_Way(own_numbers))
  return ways


def space_of(wanted: Wanted) -> LabelSpace:
  """The classes of a set whose names alone may be known."""
  return wanted if isinstance(wanted, LabelSpace) else LabelSpace(tuple(wanted))


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
  """Sorted; numbers as numbers, so that 10 is not between 1 and 2."""
  ordered = sorted(names)
  return tuple(sorted(ordered, key=int) if all(name.isdecimal() for name in ordered) else ordered)


def _mismatch(
  where: str, in_file: Sequence[str], missing: Sequence[str], space: LabelSpace
) -> errors.InputError:
  shown = []
  for name in missing[:3]:
    number = list(in_file).index(name)
    instead = f", not {space.class_names[number]!r}" if number < len(space.class_names) else ""
    shown.append(f"{number} is {name!r}{instead}")
  return errors.InputError(
    f"{where}: {len(missing)} of its class names are none of the set's {len(space.class_names)}: "
    f"{'; '.join(shown)}; is this the data set that was meant?"
  )
