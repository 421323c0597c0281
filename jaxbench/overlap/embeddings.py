"""Vectors of evaluation sets on disk, as LAION's published embeddings lie there.

A folder holds `img_emb/img_emb_0000.npy` (float16, [N, D], unit vectors) and what the rows are in
`metadata/metadata_0000.parquet`; `embeddings.json` tells what made them.
"""

import contextlib
import io
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from etils import epath

from jaxbench import data, errors
from jaxbench.overlap import encoders, shards
from jaxbench.storage import atomic, parquet
from jaxbench.telemetry.progress import Progress

_SHARD = 16_384  # Images of a shard; one is of one data set.
_BATCH = 1024  # Decoded images in memory.


class Embeddings(NamedTuple):
  """All vectors of a folder."""

  vectors: np.ndarray  # [N, D] float16, unit vectors.
  data: list[str]  # Data set of each.
  examples: list[str]  # Id within it.
  described: dict[str, Any]  # embeddings.json.


def embed(
  encoder: encoders.Encoder,
  sources: Mapping[str, data.Source],
  folder: epath.PathLike,
  *,
  limit: int = 0,
  slots: int = 64,
  workers: int = 0,
) -> None:
  """Writes the vectors of data sets; shards that are there are left alone.

  Args:
    encoder: what makes vectors.
    sources: data sets by name.
    folder: for the files; new, or with a part of the same.
    limit: so many examples of each data set, a random sample; 0 is all.
    slots: images per device and program.
    workers: processes that decode; 0 is threads of this one.

  Raises:
    InputError: a data set is empty, none of a shard's images can be read, a vector is not finite,
      or the folder holds something else.
  """
  root = epath.Path(folder)
  chosen = {name: data.sample(source, limit) for name, source in sources.items()}
  if empty := [name for name, indices in chosen.items() if not indices]:
    raise errors.InputError(f"data set {empty[0]} is empty: there is nothing to embed")
  hashes = {name: data.hash_sample(sources[name], chosen[name]) for name in chosen}
  contents = {
    name: [data.hash_content(source, chosen[name]), hashes[name]]
    for name, source in sources.items()
  }
  sampled = {"limit": limit} if limit else {}
  claim(root / "embeddings.json", {"encoder": encoder.identity, "data": contents, **sampled})
  for part in ("img_emb", "metadata"):
    (root / part).mkdir(parents=True, exist_ok=True)
  parts = [
    (name, indices[start : start + _SHARD])
    for name, indices in chosen.items()
    for start in range(0, len(indices), _SHARD)
  ]
  total = sum(map(len, chosen.values()))
  with contextlib.closing(Progress(total, 0, "image")) as progress:
    for number, (name, indices) in enumerate(parts):
      file = root / "img_emb" / f"img_emb_{number:04d}.npy"
      if not file.exists():
        progress.show(name)
        _write_shard(file, encoder, name, sources[name], indices, slots, workers)
      progress.update(len(indices))


def read(folder: epath.PathLike) -> Embeddings:
  """What `embed` has written.

  Raises:
    InputError: there is nothing of the kind, or a shard is missing or broken.
  """
  root = epath.Path(folder)
  if not (root / "embeddings.json").exists():
    raise errors.InputError(
      f"{folder} holds no embeddings; write them with: python -m jaxbench.overlap embed"
    )
  vectors, known = [], []
  for shard in shards.find(root):
    vectors += list(shard.pieces(shard.rows))
    file = shards.metadata(shard.file)
    if not file.exists():
      raise errors.InputError(f"{file} is missing: it says what {shard.file.name} holds")
    known.append(parquet.read(file))
    if len(known[-1]) != shard.rows:
      raise errors.InputError(f"{file} has {len(known[-1])} rows, {shard.file} {shard.rows}")
  rows = pa.concat_tables(known)
  described = json.loads((root / "embeddings.json").read_text())
  sets, examples = (rows[name].to_pylist() for name in ("data", "image_path"))
  return Embeddings(np.concatenate(vectors), sets, examples, described)


def claim(file: epath.Path, described: Mapping[str, Any]) -> None:
  """Writes down in `file` what its folder holds, as JSON.

  Raises:
    InputError: it holds something else.
  """
  if file.exists():
    recorded, here = json.loads(file.read_text()), json.loads(json.dumps(described))
    if differing := [name for name in here if recorded.get(name) != here[name]]:
      raise errors.InputError(
        f"{file.parent} belongs to another {' and '.join(differing)}; name another folder"
      )
    return
  file.parent.mkdir(parents=True, exist_ok=True)
  atomic.write(file, json.dumps(described, indent=1).encode())


def _write_shard(
  file: epath.Path,
  encoder: encoders.Encoder,
  name: str,
  source: data.Source,
  indices: list[int],
  slots: int,
  workers: int,
) -> None:
  """The metadata first: where the vectors are, all is there."""
  batches = [indices[start : start + _BATCH] for start in range(0, len(indices), _BATCH)]
  vectors, kept = [], []
  for embedded, readable in encoders.encode(encoder, source, batches, slots, workers):
    kept.append(readable)
    if len(embedded):
      vectors.append(embedded.astype(np.float16))
  readable = np.concatenate(kept)
  if not readable.any():
    raise errors.InputError(f"data set {name}: no image of a shard can be read; is it there?")
  rows = [index for index, good in zip(indices, readable, strict=True) if good]
  table = {
    "image_path": [source.ids[row] for row in rows],
    "data": [name] * len(rows),
    "label": pa.array([source.labels[row] for row in rows], pa.int32()),
  }
  parquet.write(shards.metadata(file), pa.table(table), compression="snappy")  # As LAION's are.
  buffer = io.BytesIO()
  np.save(buffer, np.concatenate(vectors))
  atomic.write(file, buffer.getvalue())
