"""Parquet files with encoded images, as the Hugging Face hub keeps its data sets."""

import contextlib
import functools
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxbench import errors
from jaxbench.data import classes, shards
from jaxbench.data import files as filing
from jaxbench.data.labelled import Labelled
from jaxbench.data.row_groups import RowGroups

# Columns that the hub's data sets have, and those that `datasets` makes of WebDataset shards.
_IMAGES = ("image", "img", "jpg", "jpeg", "png", "webp")
_LABELS = ("label", "wnid", "cls")
_KEY = "__key__"


def parquet(
  path: str | os.PathLike[str],
  class_names: classes.Wanted | None = None,
  *,
  labels: Mapping[str, int] | None = None,
  split: str | None = None,
  image: str | None = None,
  label: str | None = None,
) -> Labelled:
  """A data set with a column of encoded images and a column of labels.

  An id is the file name that is kept beside the image, or the key of a WebDataset sample, where
  those are there and differ; else the number of the row.

  Args:
    path: a local file, or a folder of them: `data/test-00000-of-00002.parquet`.
    class_names: what the labels mean; by default those in the file's own description (ClassLabel),
      or in `classnames.txt` beside it. Where both are there, the file's are looked up among these.
    labels: of the values in the column of labels, as text; by default numbers count the names of
      the classes and texts are classes.
    split: which of the files of a folder, if they are of several splits.
    image: the column of images: bytes, or the hub's pair of bytes and path. By default "image",
      "img" or what WebDataset calls it.
    label: the column of labels; by default "label", "wnid" or "cls".

  Raises:
    InputError: there are no such files or columns, a file is broken, the split is left open or has
      no labels, the classes have no names or are none of the set's, or a label is out of range.

  Example:
    >>> data.parquet("imagenet_sketch", split="train")
  """
  place = pathlib.Path(path)
  files = Parquet(shards.of_split(place, split), image, label)
  values = [str(value) for value in files.labels]
  folder = place if place.is_dir() else place.parent
  in_file = files.class_names or filing.class_names(folder)
  if labels is not None:
    found = classes.given(str(path), class_names or in_file, labels)
  elif all(isinstance(value, int) for value in files.labels):
    found = classes.numbered(str(path), in_file, set(values), class_names)
  else:
    found = classes.named(str(path), values, class_names or in_file)
  return Labelled.of(files, files.names, values, found)


class Parquet:
  """The images in a column of some files: `Files`."""

  def __init__(self, paths: Sequence[pathlib.Path], image: str | None, label: str | None):
    self.where = str(paths[0] if len(paths) == 1 else paths[0].parent)
    self.left_out = shards.missing(paths)
    self._paths = paths
    self.labels: list[Any] = []
    rows: list[tuple[int, int, int]] = []  # Each row group: its file, its number, its rows.
    kept: list[str | None] = []
    described = []
    for number, path in enumerate(paths):
      with _open(path) as file:
        columns = _columns(file.schema_arrow, image, label, path)
        _check_embedded(file, columns[0], path)
        names, labels = _small_columns(file, *columns, path)
        described.append((columns[0], _class_names(file.schema_arrow, columns[1])))
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
      if described[-1] != described[0]:
        raise errors.InputError(f"{path} has another column or other classes than {paths[0].name}")
      if len(labels) != sum(sizes):
        raise errors.InputError(f"{path} has {sum(sizes)} rows and {len(labels)} labels")
      kept += names
      self.labels += labels
      rows += [(number, group, size) for group, size in enumerate(sizes)]
    self._image, self.class_names = described[0]
    if not self.labels:
      raise errors.InputError(f"{self.where} holds no rows")
    if set(self.labels) == {-1}:
      raise errors.InputError(f"{self.where} has no labels: all are -1; name another split")
    self._groups = [(number, group) for number, group, _ in rows]
    self._starts = np.cumsum([0, *(size for _, _, size in rows)])
    named = None not in kept and len(set(kept)) == len(kept)
    self.names = [str(name) if named else f"{row:08d}" for row, name in enumerate(kept)]

  @functools.cached_property
  def stamp(self) -> Any:
    """Place, size and time of each file, and the column."""
    return [self._image, *(filing.stamp(path) for path in self._paths)]

  def group(self, index: int) -> int:
    """The row group of an image; those of one are read together."""
    return int(np.searchsorted(self._starts, index, side="right")) - 1

  def read(self, index: int) -> bytes:
    """The content of one image; reading row groups in turn is far quicker than at random."""
    group = self.group(index)
    number, inside = self._groups[group]
    path = self._paths[number]
    images = _ROW_GROUPS.get(
      (path, inside, self._image), lambda: _row_group(path, inside, self._image)
    )
    content = images[index - int(self._starts[group])].as_py()
    return content or b""


_ROW_GROUPS = RowGroups()


def _row_group(path: pathlib.Path, group: int, image: str) -> pa.Array:
  with _open(path) as file:
    nested = pa.types.is_struct(file.schema_arrow.field(image).type)
    column = file.read_row_group(group, columns=[f"{image}.bytes" if nested else image])[image]
    if len(column) != file.metadata.row_group(group).num_rows:
      raise errors.InputError(f"{path}: its row group {group} lacks images")
    whole = column.combine_chunks()
    return whole.field("bytes") if nested else whole


def _columns(
  schema: pa.Schema, image: str | None, label: str | None, path: pathlib.Path
) -> tuple[str, str]:
  """Those of images and of labels."""
  found = []
  for kind, name, usual in (("image", image, _IMAGES), ("label", label, _LABELS)):
    if name is not None and name not in schema.names:
      raise errors.unknown(f"column of {path}", name, schema.names)
    chosen = name or next((one for one in usual if one in schema.names), None)
    if chosen is None:
      raise errors.InputError(
        f"{path} has no column {' or '.join(usual[:2])}; name the column of {kind}s, as "
        f"{kind}={schema.names[0]!r}, of {', '.join(schema.names)}"
      )
    found.append(chosen)
  return found[0], found[1]


def _small_columns(
  file: pq.ParquetFile, image: str, label: str, path: pathlib.Path
) -> tuple[list[str | None], list[Any]]:
  """Names and labels of all rows."""
  schema = file.schema_arrow
  kind = schema.field(image).type
  nested = pa.types.is_struct(kind)
  if not (nested or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
    raise errors.InputError(f"{path}: the column {image!r} holds {kind}, not encoded images")
  keyed = _KEY in schema.names
  naming = [_KEY] if keyed else [f"{image}.path"] if nested else []
  table = file.read(columns=[label, *naming])
  labels = table[label].to_pylist()
  if not naming:
    return [None] * len(labels), labels
  names = table[_KEY] if keyed else table[image].combine_chunks().field("path")
  return names.to_pylist(), labels


def _check_embedded(file: pq.ParquetFile, image: str, path: pathlib.Path) -> None:
  """Raises InputError if the file holds the paths of images and not the images."""
  schema, metadata = file.schema, file.metadata
  places = [i for i in range(len(schema)) if schema.column(i).path == f"{image}.bytes"]
  for group in range(metadata.num_row_groups if places else 0):
    column = metadata.row_group(group).column(places[0])
    if column.statistics is None or column.statistics.null_count < column.num_values:
      return
  if places and metadata.num_rows:
    raise errors.InputError(
      f"{path} holds the paths of images, not the images; write it with them, by datasets' "
      "save_to_disk, load_from_disk and to_parquet"
    )


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
