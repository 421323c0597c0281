"""Parts of a data set that a config asks for by name, `every(k=10)`, and others can ask for too."""

import collections
import gzip
import itertools
import os
import pathlib
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from jaxbench import errors, spec, tables
from jaxbench.data.ids import canonical_order
from jaxbench.data.image_files import read_lines

_BATCH, _WORKERS, _BUFFER = 50, 4, 10_000  # Of RobustVLM's loader.
_Ids = Sequence[str]
_Labels = Sequence[int]
_Shards = Sequence[int] | None


class Subset(Protocol):
  """Chooses examples of a data set, whose order does not matter unless it is in shards."""

  def __call__(
    self, ids: Sequence[str], labels: Sequence[int], shards: Sequence[int] | None = None
  ) -> list[int]:
    """Indices of the examples that are taken; `shards` number the file of each, if it has one."""


def first(*, n: int) -> Subset:
  """The `n` examples whose ids come first in the alphabet."""
  _check_positive("n", n)

  def choose(ids: _Ids, labels: _Labels, shards: _Shards = None) -> list[int]:
    if n > len(ids):
      raise errors.InputError(f"first(n={n}): the data set has only {len(ids)} examples")
    return _sorted(ids)[:n]

  return choose


def every(*, k: int) -> Subset:
  """Every `k`-th example in the alphabetical order of the ids, beginning with the first."""
  _check_positive("k", k)

  def choose(ids: _Ids, labels: _Labels, shards: _Shards = None) -> list[int]:
    return _sorted(ids)[::k]

  return choose


def balanced(*, each: int) -> Subset:
  """A random sample of `each` examples of every class, the same always."""
  _check_positive("each", each)

  def choose(ids: _Ids, labels: _Labels, shards: _Shards = None) -> list[int]:
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


def robustvlm(*, n: int) -> Subset:
  """The first `n` examples that RobustVLM's shuffled stream over the hub's shards gives.

  Its numbers of FARE and TeCoA on sets other than ImageNet are of n=1000 (commit 7de10ee2): four
  workers, each with a buffer of its own over every fourth shard and the same random numbers, give
  batches of 50 in turn.
  """
  _check_positive("n", n)

  def choose(ids: _Ids, labels: _Labels, shards: _Shards = None) -> list[int]:
    if shards is None:
      raise errors.InputError(
        f"robustvlm(n={n}) follows from the order in WebDataset shards; get the set's from the hub"
      )
    by_shard: dict[int, list[int]] = collections.defaultdict(list)
    for index, shard in enumerate(shards):
      by_shard[shard].append(index)
    parts = [by_shard[shard] for shard in sorted(by_shard)]
    streams = [
      _shuffled(list(itertools.chain(*parts[worker::_WORKERS]))) for worker in range(_WORKERS)
    ]
    batches = [
      [stream[start : start + _BATCH] for start in range(0, len(stream), _BATCH)]
      for stream in streams
    ]
    in_turn = itertools.chain(*itertools.zip_longest(*batches, fillvalue=[]))
    taken = itertools.islice(filter(None, in_turn), n // _BATCH + 3)  # As many as it joins.
    return list(itertools.chain(*taken))[:n]

  return choose


def _shuffled(indices: Iterable[int]) -> list[int]:
  """As webdataset's `shuffle` does with a buffer that is filled before it gives anything."""
  draw, source = random.Random(0), iter(indices)
  buffer: list[int] = []
  given: list[int] = []

  def give() -> None:
    place = draw.randint(0, len(buffer) - 1)
    given.append(buffer[place])
    buffer[place] = buffer[-1]
    buffer.pop()

  for index in source:
    buffer.append(index)
    if len(buffer) < _BUFFER:
      buffer += itertools.islice(source, 1)
    if len(buffer) >= _BUFFER:
      give()
  while buffer:
    give()
  return given


SUBSETS: dict[str, Callable[..., Subset]] = {
  "balanced": balanced,
  "every": every,
  "first": first,
  "listed": listed,
  "robustbench": robustbench,
  "robustvlm": robustvlm,
}


def subset(text: str) -> Subset:
  """The subset that a config calls `text`, as "every(k=10)".

  Raises:
    InputError: there is no such subset, or it cannot be had.
  """
  return spec.build(spec.resolve(text, SUBSETS, "subset"))


def _named(names: Iterable[str], where: str) -> Subset:
  wanted = list(dict.fromkeys(names))

  def choose(ids: _Ids, labels: _Labels, shards: _Shards = None) -> list[int]:
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
