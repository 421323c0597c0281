"""Encoded images with a class each: what sources made of files come to."""

import concurrent.futures
import difflib
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

import tqdm

from jaxbench import errors
from jaxbench.data.decode import BadImage, decode
from jaxbench.data.files import Files, unreadable
from jaxbench.data.remember import remember
from jaxbench.data.source import Example


class Labelled:
  """Images in files, each of one class: a `Source`.

  Args:
    files: where they are.
    class_names: what the labels mean.
    rows: of each example, its index into the files, id and label.
  """

  def __init__(
    self, files: Files, class_names: Sequence[str], rows: Sequence[tuple[int, str, int]]
  ):
    self.files, self.class_names = files, tuple(class_names)
    self._indices = [index for index, _, _ in rows]
    self.ids = [name for _, name, _ in rows]
    self.labels = [label for _, _, label in rows]
    _check_unique(files, self.ids)

  @classmethod
  def of(
    cls,
    files: Files,
    ids: Iterable[str],
    classes: Iterable[str | None],
    class_names: Sequence[str] | None,
    labels: Mapping[str, int] | None,
  ) -> "Labelled":
    """Looks up the labels of `classes`, one for each file; files of class None are left out.

    Raises:
      InputError: a class is unknown, a label is out of range, or no file is left.
    """
    kept = [
      (index, name, found)
      for index, (name, found) in enumerate(zip(ids, classes, strict=True))
      if found is not None
    ]
    if not kept:
      raise errors.InputError(f"{files.where}: no image of these classes")
    if class_names is None:
      if labels is not None:
        raise errors.InputError(f"{files.where}: labels were given without class_names")
      class_names = _in_order({found for _, _, found in kept})
    count = len(class_names)
    known = labels or {name: label for label, name in enumerate(class_names)}
    for index, _, found in kept:
      if found not in known:
        raise _unknown_class(files, index, found, known)
      if not 0 <= known[found] < count:
        raise errors.InputError(
          f"{files.where}: {files.names[index]} has the label {known[found]}, but there are "
          f"{count} classes, 0 to {count - 1}"
        )
    return cls(files, class_names, [(index, name, known[found]) for index, name, found in kept])

  def selected(self, class_names: Sequence[str], labels: Mapping[int, int]) -> "Labelled":
    """The examples whose label `labels` has, with the label of `class_names` that it gives.

    Raises:
      InputError: there are none.
    """
    rows = [
      (index, name, labels[label])
      for index, name, label in zip(self._indices, self.ids, self.labels, strict=True)
      if label in labels
    ]
    if not rows:
      raise errors.InputError(f"{self.files.where}: no image of these classes")
    return Labelled(self.files, class_names, rows)

  @functools.cached_property
  def sha256(self) -> str:
    """Of ids, labels and content, in the order of the ids: the same however a set is packed."""
    contents = remember("content1", self.files.stamp, self._hash_files)
    rows = zip(self.ids, self.labels, self._indices, strict=True)
    lines = sorted([name, label, contents[index]] for name, label, index in rows)
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()

  def _hash_files(self) -> list[str | None]:
    def one(index: int) -> str | None:
      try:
        return hashlib.sha256(self.read(index)).hexdigest()
      except BadImage:
        return None  # It will be in the records with its error.

    count = len(self.files.names)
    with concurrent.futures.ThreadPoolExecutor() as readers:
      hashes = readers.map(one, range(count))
      shown = f"{self.files.where} is hashed, once"
      return list(tqdm.tqdm(hashes, shown, count, delay=2, disable=None))

  def read(self, index: int) -> bytes:
    """The content of the file `index`."""
    try:
      return self.files.read(index)
    except (OSError, errors.InputError) as error:
      raise BadImage(str(unreadable(self._name(index), error))) from error

  def __len__(self) -> int:
    """Number of images."""
    return len(self.ids)

  def __getitem__(self, index: int) -> Example:
    """The image `ids[index]`.

    Raises:
      BadImage: it cannot be read or decoded.
    """
    where = self._indices[index]
    content = self.read(where)
    try:
      return Example(decode(content), self.labels[index])
    except BadImage as error:
      raise BadImage(f"{self._name(where)} {error}") from error

  def _name(self, index: int) -> str:
    return f"{self.files.names[index]} in {self.files.where}"


def _check_unique(files: Files, ids: Sequence[str]) -> None:
  seen: set[str] = set()
  for name in ids:
    if name in seen:
      raise errors.InputError(f"{files.where}: two images of the id {name!r}")
    seen.add(name)


def _in_order(class_names: Iterable[str]) -> list[str]:
  """Sorted; numbers as numbers, so that 10 is not between 1 and 2."""
  names = sorted(class_names)
  return sorted(names, key=int) if all(name.isdecimal() for name in names) else names


def _unknown_class(
  files: Files, index: int, found: str, known: Mapping[str, int]
) -> errors.InputError:
  near = difflib.get_close_matches(found, known, n=1)
  hint = f" (did you mean {near[0]!r}?)" if near else ""
  examples, count = ", ".join(list(known)[:3]), len(set(known.values()))
  return errors.InputError(
    f"{files.where}: {files.names[index]} is of the class {found!r}, none of the "
    f"{count} known ones{hint}, which begin with {examples}; is this the data set that was meant?"
  )
