"""Parquet files with encoded images, as the Hugging Face hub keeps its data sets."""

import contextlib
import functools
import json
import os
import pathlib
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxbench import errors
from jaxbench.data import files as filing
from jaxbench.data.labelled import Labelled

_SHARD = re.compile(r"(?P<split>.+)-\d+-of-\d+")


def parquet(
  path: str | os.PathLike[str],
  class_names: Sequence[str] | None = None,
  *,
  labels: Mapping[str, int] | None = None,
  split: str | None = None,
  image: str = "image",
  label: str = "label",
) -> Labelled:
  """A data set with a column of encoded images and a column of labels.

  An id is the file name that is kept beside the image where those are there and differ; else the
  number of the row.

  Args:
    path: a local file, or a folder of them: `data/test-00000-of-00002.parquet`.
    class_names: what the labels mean; by default those in the file's own description.
    labels: of the values in the column of labels, as text; by default numbers are the labels and
      texts are the names of the classes.
    split: which of the files of a folder, if they are of several splits.
    image: the column of images: bytes, or the hub's pair of bytes and path.
    label: the column of labels.

  Raises:
    InputError: there are no such files or columns, a file is broken, the split is left open, the
      classes have no names, or a label is out of range.

  Example:
    >>> data.parquet("imagenet_sketch", split="train")
  """
  files = Parquet(_shards(pathlib.Path(path), split), image, label)
  names = class_names or files.class_names
  values = [str(value) for value in files.labels]
  if labels is None and isinstance(files.labels[0], int):
    if names is None:
      raise errors.InputError(f"{path} has numbers for labels and no names; name the classes")
    labels = {str(number): number for number in range(len(names))}
  return Labelled.of(files, files.names, values, names, labels)


class Parquet:
  """The images in a column of some files: `Files`."""

  def __init__(self, paths: Sequence[pathlib.Path], image: str, label: str):
    self.where = str(paths[0] if len(paths) == 1 else paths[0].parent)
    self._paths, self._image = paths, image
    self.labels: list[Any] = []
    self._groups: list[tuple[int, int]] = []  # Each row group: its file, its number there.
    starts = [0]
    kept: list[str | None] = []
    for number, path in enumerate(paths):
      with _open(path) as file:
        self.class_names = _class_names(file.schema_arrow, label)
        names, labels = _small_columns(file, image, label, path)
        rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
      if len(labels) != sum(rows):
        raise errors.InputError(f"{path} has {sum(rows)} rows and {len(labels)} labels")
      kept += names
      self.labels += labels
      self._groups += [(number, group) for group in range(len(rows))]
      starts += (starts[-1] + np.cumsum(rows)).tolist()
    if not self.labels:
      raise errors.InputError(f"{self.where} holds no rows")
    self._starts = np.asarray(starts)
    named = None not in kept and len(set(kept)) == len(kept)
    self.names = [str(name) if named else f"{row:08d}" for row, name in enumerate(kept)]

  @functools.cached_property
  def stamp(self) -> Any:
    """Place, size and time of each file, and the column."""
    return [self._image, *(filing.stamp(path) for path in self._paths)]

  def read(self, index: int) -> bytes:
    """The content of one image; reading rows in order is far quicker than at random."""
    group = int(np.searchsorted(self._starts, index, side="right")) - 1
    number, inside = self._groups[group]
    with _READING:  # Or every thread would read the row group that all of them wait for.
      images = _row_group(self._paths[number], inside, self._image)
    content = images[index - int(self._starts[group])].as_py()
    return content or b""


_READING = threading.Lock()


@functools.lru_cache(maxsize=4)
def _row_group(path: pathlib.Path, group: int, image: str) -> pa.Array:
  with _open(path) as file:
    nested = pa.types.is_struct(file.schema_arrow.field(image).type)
    column = file.read_row_group(group, columns=[f"{image}.bytes" if nested else image])[image]
    if len(column) != file.metadata.row_group(group).num_rows:
      raise errors.InputError(f"{path}: its row group {group} lacks images")
    whole = column.combine_chunks()
    return whole.field("bytes") if nested else whole


def _small_columns(
  file: pq.ParquetFile, image: str, label: str, path: pathlib.Path
) -> tuple[list[str | None], list[Any]]:
  """Names and labels of all rows."""
  schema = file.schema_arrow
  for column in (image, label):
    if column not in schema.names:
      raise errors.unknown(f"column of {path}", column, schema.names)
  kind = schema.field(image).type
  nested = pa.types.is_struct(kind)
  if not (nested or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
    raise errors.InputError(f"{path}: the column {image!r} holds {kind}, not encoded images")
  table = file.read(columns=[label, *([f"{image}.path"] if nested else [])])
  labels = table[label].to_pylist()
  if not nested:
    return [None] * len(labels), labels
  return table[image].combine_chunks().field("path").to_pylist(), labels


def _class_names(schema: pa.Schema, label: str) -> list[str] | None:
  """Of the description that the `datasets` library leaves in a file."""
  description = (schema.metadata or {}).get(b"huggingface")
  features = json.loads(description)["info"]["features"] if description else {}
  return features.get(label, {}).get("names")


@contextlib.contextmanager
def _open(path: pathlib.Path) -> Iterator[pq.ParquetFile]:
  """An InputError for whatever goes wrong with the file inside."""
  try:
    with pq.ParquetFile(path) as file:
      yield file
  except errors.InputError:
    raise
  except (OSError, pa.ArrowException, ValueError, KeyError) as error:
    raise filing.unreadable(path, error) from error


def _shards(path: pathlib.Path, split: str | None) -> list[pathlib.Path]:
  """The files of one split, in order."""
  if path.is_file():
    return [path]
  splits: dict[str, list[pathlib.Path]] = {}
  for file in sorted(path.rglob("*.parquet")):
    shard = _SHARD.fullmatch(file.stem)
    name = shard["split"] if shard else file.parent.name if file.stem.isdecimal() else file.stem
    splits.setdefault(name, []).append(file)
  if not splits:
    raise errors.InputError(f"{path} holds no Parquet files")
  if split is None and len(splits) > 1:
    raise errors.InputError(f"{path} holds several splits, name one: {', '.join(sorted(splits))}")
  if split is not None and split not in splits:
    raise errors.unknown(f"split of {path}", split, splits)
  return splits[split or next(iter(splits))]
