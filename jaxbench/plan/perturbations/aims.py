"""Which class of each image a targeted attack aims at."""

import csv
import dataclasses
import hashlib
import io
import pathlib
import zipfile
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxbench import data, errors

RULES = ("random", "next", "least_likely")
_COLUMNS = ("example", "target")


@dataclasses.dataclass(frozen=True)
class Aim:
  """One of `RULES`, or what a file lists; it is never the label."""

  name: str  # Of the rule, or of the file.
  stream: str  # The same with the file's hash.
  listed: Mapping[str, int] | None = dataclasses.field(default=None, hash=False)  # By example.

  def check(self, source: data.Source, indices: Sequence[int]) -> None:
    """Raises InputError if a file does not say what some examples of a set are to become."""
    if self.listed is None:
      return
    count = len(source.class_names)
    found = self._found([source.ids[index] for index in indices], indices)
    if lacking := found.count(None):
      first = source.ids[indices[found.index(None)]]
      raise errors.InputError(
        f"{self.name} has no target for {lacking} of {len(indices)} examples; the first is "
        f"{first!r}"
      )
    for index, target in zip(indices, found, strict=True):
      assert target is not None
      what = f"{self.name}: the target of {source.ids[index]!r}, {target},"
      if not 0 <= target < count:
        raise errors.InputError(f"{what} is not a class in 0..{count - 1}")
      if target == source.labels[index]:
        raise errors.InputError(f"{what} is its label")

  def choose(
    self,
    ids: Sequence[str],
    indices: Sequence[int],
    labels: np.ndarray,
    classes: int,
    words: np.ndarray,
    logits: Callable[[], np.ndarray],
  ) -> np.ndarray:
    """The classes int32 [N] that N examples are to become.

    Args:
      ids: of the examples.
      indices: of the examples in their set.
      labels: int32 [N].
      classes: how many there are.
      words: uint32 [N, 2], their random numbers.
      logits: gives [N, K] of the clean images, if they are needed.
    """
    if self.listed is not None:
      return np.array(self._found(ids, indices), np.int32)
    if self.name == "least_likely":
      known = logits()
      known = np.where(np.isfinite(known), known, np.finfo(np.float32).max)
      known[np.arange(len(labels)), labels] = np.inf
      return known.argmin(axis=1).astype(np.int32)
    steps = words[:, 0] % np.uint32(classes - 1) if self.name == "random" else np.uint32(0)
    return ((labels + 1 + steps) % classes).astype(np.int32)

  def _found(self, ids: Sequence[str], indices: Sequence[int]) -> list[int | None]:
    """By id or, where the file has none of that id, by place in the set."""
    assert self.listed is not None
    places = (self.listed.get(str(index)) for index in indices)
    return [self.listed.get(one, place) for one, place in zip(ids, places, strict=True)]


def find(text: str) -> Aim:
  """The aim that a config names.

  Args:
    text: one of `RULES`, or the path of a file with columns `example`, an id or a place in the data
      set, and `target`, a class by its number: CSV with a header, or NPZ with arrays [N].

  Raises:
    InputError: it is neither, or such a file cannot be read.
  """
  if text in RULES:
    return Aim(text, text)
  path = pathlib.Path(text).expanduser()
  if path.suffix not in (".csv", ".npz"):
    raise errors.unknown("--config.attacks.targets (or a .csv or .npz file)", text, RULES)
  try:
    content = path.read_bytes()
  except OSError as error:
    raise errors.InputError(f"{text}: {error.strerror}") from error
  try:
    examples, targets = _table(content) if path.suffix == ".csv" else _arrays(content)
    classes = [int(target) for target in targets]
    listed = dict(zip(map(str, examples), classes, strict=True))
  except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
    raise errors.InputError(
      f"{text} is not a list of targets: it has columns example and target, whole numbers"
    ) from error
  if len(listed) < len(classes):
    raise errors.InputError(f"{text} has {len(classes)} targets for {len(listed)} examples")
  return Aim(path.name, f"{path.name}@{hashlib.sha256(content).hexdigest()[:16]}", listed)


def _table(content: bytes) -> tuple[list[str], list[str]]:
  rows = list(csv.DictReader(io.StringIO(content.decode())))
  examples, targets = ([row[name] for row in rows] for name in _COLUMNS)
  return examples, targets


def _arrays(content: bytes) -> tuple[list[str], list[int]]:
  with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
    examples, targets = (arrays[name] for name in _COLUMNS)
  if not np.issubdtype(targets.dtype, np.integer):
    raise ValueError(targets.dtype)
  return examples.tolist(), targets.tolist()
