"""Parts of a data set that a config asks for by name, `every(k=10)`, and others can ask for too."""

import collections
import gzip
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence

from jaxbench import errors, spec, tables
from jaxbench.data.ids import canonical_order
from jaxbench.data.image_files import read_lines

# Ids and labels of a data set, in any order -> indices of the examples that are taken.
Subset = Callable[[Sequence[str], Sequence[int]], list[int]]


def first(*, n: int) -> Subset:
  """The `n` examples whose ids come first in the alphabet."""
  _check_positive("n", n)

  def choose(ids: Sequence[str], labels: Sequence[int]) -> list[int]:
    if n > len(ids):
      raise errors.InputError(f"first(n={n}): the data set has only {len(ids)} examples")
    return _sorted(ids)[:n]

  return choose


def every(*, k: int) -> Subset:
  """Every `k`-th example in the alphabetical order of the ids, beginning with the first."""
  _check_positive("k", k)
  return lambda ids, labels: _sorted(ids)[::k]


def balanced(*, each: int) -> Subset:
  """A random sample of `each` examples of every class, the same always."""
  _check_positive("each", each)

  def choose(ids: Sequence[str], labels: Sequence[int]) -> list[int]:
    by_class: dict[int, list[int]] = collections.defaultdict(list)
    for index in canonical_order(ids):
      by_class[labels[index]].append(index)
    for label, members in sorted(by_class.items()):
      if len(members) < each:
        raise errors.InputError(
          f"balanced(each={each}): the class {label} has only {len(members)} examples"
        )
    return [index for members in by_class.values() for index in members[:each]]

  return choose


def listed(*, path: str | os.PathLike[str]) -> Subset:
  """The examples that a text file lists, an id on each line, or a file name that is unique."""
  file = pathlib.Path(path).expanduser()
  names = [line.strip() for line in read_lines(file) if line.strip()]
  if not names:
    raise errors.InputError(f"{file} lists no ids")
  return _named(names, str(file))


def robustbench() -> Subset:
  """The 5,000 images of ImageNet's validation set on which RobustBench evaluates."""
  packed = tables.path("robustbench_imagenet_ids.txt.gz").read_bytes()
  return _named(gzip.decompress(packed).decode().split(), "robustbench")


SUBSETS: dict[str, Callable[..., Subset]] = {
  "balanced": balanced,
  "every": every,
  "first": first,
  "listed": listed,
  "robustbench": robustbench,
}


def subset(text: str) -> Subset:
  """The subset that a config calls `text`, as "every(k=10)".

  Raises:
    InputError: there is no such subset, or it cannot be had.
  """
  return spec.build(spec.resolve(text, SUBSETS, "subset"))


def _named(names: Iterable[str], where: str) -> Subset:
  wanted = list(dict.fromkeys(names))

  def choose(ids: Sequence[str], labels: Sequence[int]) -> list[int]:
    places: dict[str, list[int]] = collections.defaultdict(list)
    for index, name in enumerate(ids):
      places[_file(name)].append(index)
    exact = {name: index for index, name in enumerate(ids)}
    chosen: dict[int, None] = {}
    missing = []
    for name in wanted:
      likely = places.get(_file(name), [])
      if name in exact:
        chosen[exact[name]] = None
      elif len(likely) == 1:
        chosen[likely[0]] = None
      else:
        missing.append(name)
    if missing:
      raise errors.InputError(
        f"{len(missing)} of the {len(wanted)} examples that {where} lists are not in the data set, "
        f"or not once; the first is {missing[0]!r}"
      )
    return list(chosen)

  return choose


def _file(name: str) -> str:
  return name.rpartition("/")[2]


def _sorted(ids: Sequence[str]) -> list[int]:
  return sorted(range(len(ids)), key=lambda index: ids[index])


def _check_positive(name: str, value: int) -> None:
  if not isinstance(value, int) or value < 1:
    raise errors.InputError(f"{name}={value!r} must be a whole number >= 1")
