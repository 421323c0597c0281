"""Encoded images with a class each: what sources made of files come to."""

import concurrent.futures
import difflib
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import tqdm

from jaxbench import errors
from jaxbench.data.classes import Classes
from jaxbench.data.decode import BadImage, decode
from jaxbench.data.disk_cache import keep, remembered
from jaxbench.data.ids import canonical_id
from jaxbench.data.image_files import Files, unreadable
from jaxbench.data.source import Example, Source

OTHER_CLASSES = "of other classes"


class Labelled(Source):
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
    self.ids = [canonical_id(name) for _, name, _ in rows]
    self.labels = [label for _, _, label in rows]
    _check_unique(files, self.ids)

  @classmethod
  def of(
    cls, files: Files, ids: Iterable[str], kinds: Iterable[str | None], classes: Classes
  ) -> "Labelled":
    """The files with the labels of their classes.

    Args:
      files: where they are.
      ids: one for each file.
      kinds: the class of each file, as the files write it; those of None are left out.
      classes: what labels mean, and the label of each class as files write it.

    Raises:
      InputError: a class is unknown, a label is out of range, or no file is left.
    """
    kept = [
      (index, name, kind)
      for index, (name, kind) in enumerate(zip(ids, kinds, strict=True))
      if kind is not None
    ]
    if not kept:
      raise errors.InputError(f"{files.where}: no image of these classes")
    count, label_of = len(classes.names), classes.labels
    for index, _, kind in kept:
      if kind not in label_of:
        raise _unknown_class(files, index, kind, classes)
      if not 0 <= label_of[kind] < count:
        raise errors.InputError(
          f"{files.where}: {files.names[index]} has the label {label_of[kind]}, but there are "
          f"{count} classes, 0 to {count - 1}"
        )
    rows = [(index, name, label_of[kind]) for index, name, kind in kept]
    return cls(files, classes.names, rows)

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
  def left_out(self) -> dict[str, int]:
    """How many files of the place are no examples, by the reason."""
    others = len(self.files.names) - len(self._indices)
    return {**self.files.left_out, **({OTHER_CLASSES: others} if others else {})}

  @functools.cached_property
  def groups(self) -> list[int] | None:
    """The number of what each example is read together with; None where each is read alone."""
    of_files = self.files.groups
    return of_files if of_files is None else [of_files[index] for index in self._indices]

  def renamed(self, id_of: Callable[[str], str]) -> "Labelled":
    """The same examples under other ids, which `id_of` makes of theirs."""
    names = map(id_of, self.ids)
    rows = list(zip(self._indices, names, self.labels, strict=True))
    return Labelled(self.files, self.class_names, rows)

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of ids, labels and content, in the order of the ids, however a set is packed."""
    return self.sha256_of(range(len(self)))

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of some examples alone; no other file is read, and without `read` none: then ""."""
    contents = self._contents(indices, read)
    if contents is None:
      return ""
    lines = sorted(
      [self.ids[index], self.labels[index], content]
      for index, content in zip(indices, contents, strict=True)
    )
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()

  def image_hashes(self, indices: Sequence[int]) -> list[str | None]:
    """The SHA-256 of the file of each of some examples; None where that cannot be read."""
    return self._contents(indices, True) or []

  def _contents(self, indices: Sequence[int], read: bool) -> list[str | None] | None:
    """Hashes of the files of some examples; None if not all are known and none is to be read."""
    hashes: dict[str, str | None] = remembered("content3", self.files.stamp) or {}
    files = [self._indices[index] for index in indices]
    lacking = sorted({file for file in files if str(file) not in hashes})
    if lacking and not read:
      return None
    if lacking:
      hashes |= zip(map(str, lacking), self._hash_files(lacking), strict=True)
      keep("content3", self.files.stamp, hashes)
    return [hashes[str(file)] for file in files]

  def _hash_files(self, files: Sequence[int]) -> list[str | None]:
    def digest(index: int) -> str | None:
      try:
        return hashlib.sha256(self.read(index)).hexdigest()
      except BadImage:
        return None  # It will be in the records with its error.

    with concurrent.futures.ThreadPoolExecutor() as readers:
      hashes = readers.map(digest, files)
      shown = f"{self.files.where} is hashed, once"
      return list(tqdm.tqdm(hashes, shown, len(files), delay=2, disable=None))

  def read(self, index: int) -> bytes:
    """The content of the file `index`."""
    try:
      return self.files.read(index)
    except (OSError, errors.InputError) as error:
      raise BadImage(str(unreadable(self._name(index), error))) from error

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


def _unknown_class(files: Files, index: int, kind: str, classes: Classes) -> errors.InputError:
  near = difflib.get_close_matches(kind, classes.labels, n=1)
  hint = f" (did you mean {near[0]!r}?)" if near else ""
  examples, count = ", ".join(list(classes.labels)[:3]), len(classes.names)
  return errors.InputError(
    f"{files.where}: {files.names[index]} is of the class {kind!r}, none of the "
    f"{count} known ones{hint}, which begin with {examples}; is this the data set that was meant?"
  )
