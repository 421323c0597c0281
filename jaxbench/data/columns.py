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


def small(
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


def check_embedded(file: pq.ParquetFile, image: str, path: pathlib.Path) -> None:
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


def class_names(schema: pa.Schema, label: str) -> list[str] | None:
  """Of the description that the `datasets` library leaves in a file."""
  description = (schema.metadata or {}).get(b"huggingface")
  features = json.loads(description)["info"]["features"] if description else {}
  return features.get(label, {}).get("names")
