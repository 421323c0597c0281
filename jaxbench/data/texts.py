"""Texts with classes: sets whose examples are read, not seen."""

import dataclasses
import functools
import hashlib
import itertools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxbench import errors
from jaxbench.data import columns, shards
from jaxbench.data.label_space import Groups, LabelSpace
from jaxbench.data.source import Example, Source

_TEXT, _LABEL = "text", "label"  # Columns, and keys.
# LEAF (2025, arXiv:2506.03355): what CLIP is asked for AG-News's classes.
AG_NEWS = ("World News", "Sports News", "Business News", "Science and Technology News")


@dataclasses.dataclass(frozen=True)
class TextSpace(LabelSpace):
  """Classes of texts, which models that read find by the names of classes as other texts."""

  def supervised_groups(
    self, num_classes: int, class_names: Sequence[str] | None = None
  ) -> Groups | None:
    """Raises InputError: a classifier of images reads nothing."""
    raise errors.InputError("it sees images, and the set has texts")


class Texts(Source):
  """N texts of K classes: a `Source` without images.

  Args:
    texts: [N].
    labels: [N].
    class_names: [K].
  """

  image_size = 0  # There is nothing to decode.

  def __init__(self, texts: Sequence[str], labels: Sequence[int], class_names: Sequence[str]):
    self.texts, self.labels, self.class_names = tuple(texts), list(labels), tuple(class_names)
    self.ids = [f"{number:08d}" for number in range(len(self.texts))]

  @functools.cached_property
  def label_space(self) -> LabelSpace:
    """The classes."""
    return TextSpace(tuple(self.class_names))

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of texts, labels and classes."""
    return self.sha256_of(range(len(self)))

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of some of the texts."""
    del read
    said = [(self.texts[index], self.labels[index]) for index in indices]
    return hashlib.sha256(json.dumps([self.class_names, said]).encode()).hexdigest()

  def __getitem__(self, index: int) -> Example:
    """Nothing to see, and the class."""
    return Example(np.zeros((0, 0, 3), np.uint8), self.labels[index])


def are_texts(path: pathlib.Path) -> bool:
  """Whether what lies there are texts with labels, in one of the forms of `read_texts`."""
  try:
    if path.suffix == ".jsonl":
      with path.open(encoding="utf-8-sig") as lines:
        return {_TEXT, _LABEL} <= set(json.loads(next(lines, "{}")))
    files = [path] if path.is_file() else list(itertools.chain(*shards.by_split(path).values()))
    return path.suffix in ("", ".parquet") and bool(files) and _is_table(files[0])
  except (OSError, ValueError, TypeError, errors.InputError):  # Whoever reads it will say why.
    return False


def read_texts(path: pathlib.Path, *, split: str | None = None) -> Texts:
  """Texts with classes.

  Args:
    path: Parquet with the columns "text" and "label", as the hub has it, a file or a folder; or
      lines of JSON, `{"text": "...", "label": "a class"}`.
    split: of a folder that has several.

  Raises:
    InputError: it is in neither form, or labels have no names.
  """
  rows, names = _lines(path) if path.suffix == ".jsonl" else _tables(path, split)
  if not rows:
    raise errors.InputError(f"{path} holds no texts")
  if names is None:
    names = sorted({str(label) for _, label in rows})
    rows = [(text, names.index(str(label))) for text, label in rows]
  for text, label in rows:
    if not isinstance(text, str) or not isinstance(label, int) or not 0 <= label < len(names):
      raise errors.InputError(f"{path}: {text!r} of class {label!r} is no text of {names}")
  texts, labels = zip(*rows, strict=True)
  return Texts(texts, labels, names)


def ag_news(path: pathlib.Path) -> Texts:
  """The test of AG-News as the hub has it, with the names that LEAF gives its classes."""
  found = read_texts(path, split="test" if path.is_dir() else None)
  if len(found.class_names) != len(AG_NEWS):
    raise errors.InputError(f"{path} has {len(found.class_names)} classes, AG-News 4")
  return Texts(found.texts, found.labels, AG_NEWS)


def _is_table(file: pathlib.Path) -> bool:
  """Whether a file of Parquet has a column of texts."""
  schema = pq.read_schema(file)
  if not {_TEXT, _LABEL} <= set(schema.names) or columns.has_images(schema):
    return False
  return pa.types.is_string(schema.field(_TEXT).type)


def _tables(path: pathlib.Path, split: str | None) -> tuple[list[tuple[Any, Any]], list[str]]:
  """Texts and labels, and the names that the file gives these."""
  files = shards.of_split(path, split)
  try:
    tables = [pq.read_table(file, columns=[_TEXT, _LABEL]) for file in files]
  except (OSError, pa.ArrowException) as error:
    raise errors.InputError(f"{path} cannot be read: {errors.reason(error)}") from error
  names = columns.class_names(tables[0].schema, _LABEL)
  whole = pa.concat_tables(tables)
  labels = whole[_LABEL].to_pylist()
  if names is None:
    names = [str(label) for label in sorted(set(labels))]
    labels = [names.index(str(label)) for label in labels]
  return list(zip(whole[_TEXT].to_pylist(), labels, strict=True)), names


def _lines(path: pathlib.Path) -> tuple[list[tuple[Any, Any]], None]:
  """Texts and the names of their classes."""
  try:
    whole = path.read_text("utf-8-sig").split("\n")  # Others, as U+2028, may be in a text.
    lines = [json.loads(line) for line in whole if line.strip()]
    return [(line[_TEXT], line[_LABEL]) for line in lines], None
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise errors.InputError(f"{path} holds no texts: {errors.reason(error)}") from error
