"""The columns of a Parquet file that hold images, labels and names."""

import json
import pathlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jaxbench import errors

# Those that the hub's data sets have, and those that `datasets` makes of WebDataset shards.
_IMAGES = ("image", "img", "jpg", "jpeg", "png", "webp")
_LABELS = ("label", "wnid", "cls")
_KEY = "__key__"


def of(
  schema: pa.Schema, image: str | None, label: str | None, path: pathlib.Path
) -> tuple[str, str]:
  """The columns of images and of labels.

  Args:
    schema: of the file.
    image: the name that a person has given; None takes the usual ones.
    label: likewise.
    path: of the file, for messages.

  Raises:
    InputError: there is no such column.
  """
  columns = []
  for kind, name, usual in (("image", image, _IMAGES), ("label", label, _LABELS)):
    if name is not None and name not in schema.names:
      raise errors.unknown(f"column of {path}", name, schema.names)
    chosen = name or next((column for column in usual if column in schema.names), None)
    if chosen is None:
      raise errors.InputError(
        f"{path} has no column {' or '.join(usual[:2])}; name the column of {kind}s, as "
        f"{kind}={schema.names[0]!r}, of {', '.join(schema.names)}"
      )
    columns.append(chosen)
  return columns[0], columns[1]


def has_images(schema: pa.Schema) -> bool:
  """Whether a file has a column of images by one of the usual names."""
  return not set(_IMAGES).isdisjoint(schema.names)


def small(
  file: pq.ParquetFile, image: str, label: str, path: pathlib.Path
) -> tuple[list[str | None], list[Any]]:
  """Names and labels of all rows, without reading an image.

  Args:
    file: to read.
    image: its column of images.
    label: its column of labels.
    path: of the file, for messages.

  Raises:
    InputError: the column of images holds something else.
  """
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


def check_embedded(file: pq.ParquetFile, image: str, path: pathlib.Path) -> None:
  """Raises InputError if the column `image` of a file holds paths of images and not the images."""
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


def class_names(schema: pa.Schema, label: str) -> list[str] | None:
  """The classes of a column, as `datasets` writes them into a file; None where it has not."""
  description = (schema.metadata or {}).get(b"huggingface")
  features = json.loads(description)["info"]["features"] if description else {}
  described = features.get(label)
  return described.get("names") if isinstance(described, dict) else None  # Else of a list.
