"""Parquet files with encoded images, as the Hugging Face hub keeps its data sets."""

import contextlib
import functools
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxbench import errors
from jaxbench.data import agreement, classes, columns, image_files, shards
from jaxbench.data.labelled import Labelled
from jaxbench.data.row_groups import RowGroups


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
  in_file = files.class_names or image_files.class_names(folder)
  if labels is not None:
    meaning = classes.given(str(path), class_names or in_file, labels)
  elif all(isinstance(value, int) for value in files.labels):
    meaning = classes.numbered(str(path), in_file, set(values), class_names)
  else:
    meaning = classes.named(str(path), values, class_names or in_file)
  source = Labelled.of(files, files.names, values, meaning)
  if labels is None:
    agreement.check(str(path), source.ids, source.labels, class_names or meaning.names)
  return source


class _Described(NamedTuple):
  """What one file says of its images."""

  image: str  # Their column.
  class_names: list[str] | None
  names: list[str | None]  # Of each row.
  labels: list[Any]
  rows: list[int]  # Of each row group, how many.


def _describe(path: pathlib.Path, image: str | None, label: str | None) -> _Described:
  with _open(path) as file:
    images, labels = columns.of(file.schema_arrow, image, label, path)
    columns.check_embedded(file, images, path)
    names, values = columns.small(file, images, labels, path)
    rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    if len(values) != sum(rows):
      raise errors.InputError(f"{path} has {sum(rows)} rows and {len(values)} labels")
    return _Described(images, columns.class_names(file.schema_arrow, labels), names, values, rows)


class Parquet(image_files.Files):
  """The images in a column of some files: `Files`."""

  def __init__(self, paths: Sequence[pathlib.Path], image: str | None, label: str | None):
    self.where = str(paths[0] if len(paths) == 1 else paths[0].parent)
    self.left_out = shards.missing(paths)
    self._paths = paths
    described = [_describe(path, image, label) for path in paths]
    for path, part in zip(paths, described, strict=True):
      if (part.image, part.class_names) != (described[0].image, described[0].class_names):
        raise errors.InputError(f"{path} has another column or other classes than {paths[0].name}")
    self._image, self.class_names = described[0].image, described[0].class_names
    self.labels = [label for part in described for label in part.labels]
    if not self.labels:
      raise errors.InputError(f"{self.where} holds no rows")
    if all(label == -1 for label in self.labels):
      raise errors.InputError(f"{self.where} has no labels: all are -1; name another split")
    self._groups = [
      (file, group) for file, part in enumerate(described) for group in range(len(part.rows))
    ]
    self._starts = np.cumsum([0, *(rows for part in described for rows in part.rows)])
    kept = [name for part in described for name in part.names]
    named = None not in kept and len(set(kept)) == len(kept)
    self.names = [str(name) if named else f"{row:08d}" for row, name in enumerate(kept)]

  @functools.cached_property
  def stamp(self) -> Any:
    """Place, size and time of each file, and the column."""
    return [self._image, *(image_files.stamp(path) for path in self._paths)]

  @functools.cached_property
  def groups(self) -> list[int]:
    """The row group of each image; those of one are read together."""
    rows = np.arange(len(self.names))
    return (np.searchsorted(self._starts, rows, side="right") - 1).tolist()

  def read(self, index: int) -> bytes:
    """The content of one image; reading row groups in turn is far quicker than at random."""
    group = self.groups[index]
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


@contextlib.contextmanager
def _open(path: pathlib.Path) -> Iterator[pq.ParquetFile]:
  """An InputError for whatever goes wrong with the file inside."""
  try:
    with pq.ParquetFile(path) as file:
      yield file
  except errors.InputError:
    raise
  except (OSError, pa.ArrowException, ValueError, KeyError) as error:
    raise image_files.unreadable(path, error) from error
