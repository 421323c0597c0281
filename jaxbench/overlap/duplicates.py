"""Duplicates among the images of evaluation sets, and the thresholds that tell them.

Three detectors: equal pixels, a perceptual hash, and the embeddings. The thresholds of the last two
are set for each data set on copies that are planted in a part of it; that of the embeddings serves
a search of reference images too.
"""

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from etils import epath

from jaxbench import data, errors
from jaxbench.overlap import calibrate, embeddings, encoders, fingerprints, neighbours
from jaxbench.overlap.calibrate import Subject
from jaxbench.overlap.embeddings import Embeddings
from jaxbench.overlap.kernel import Settings
from jaxbench.records.overlap import PAIRS, Duplicates
from jaxbench.storage import parquet

_NEIGHBOURS = 4


def find(
  queries: Embeddings,
  encoder: encoders.Encoder,
  sources: Mapping[str, data.Source],
  folder: epath.PathLike,
  *,
  precision: float = 0.99,
  sample: int = 500,
  slots: int = 64,
  workers: int = 0,
) -> Duplicates:
  """Finds and writes the duplicates among the examples of some embeddings.

  Args:
    queries: the embeddings.
    encoder: what made them.
    sources: their data sets by name.
    folder: for the results.
    precision: that thresholds must keep on planted copies.
    sample: so many examples of each data set, with different pixels, have copies planted.
    slots: images per device and program.
    workers: processes that decode; 0 is threads of this one.

  Raises:
    InputError: the encoder or a data set is another one than that of the embeddings, the precision
      is no share, imagehash is not installed, or the folder belongs to others.
  """
  _check(queries, encoder, sources, precision)
  root = epath.Path(folder)
  described = {"queries": queries.described, "precision": precision, "sample": sample}
  embeddings.claim(root / "duplicates.json", described)
  sets = [Subject.of(name, source, queries) for name, source in sources.items()]
  hashes, digests = _fingerprints(sets, len(queries.data), workers)
  vectors = {"perceptual": hashes, "embedding": queries.vectors}
  calibration = pa.concat_tables(
    calibrate.table(subject.first(sample, digests), encoder, vectors, precision, slots, workers)
    for subject in sets
  )
  results = Duplicates(PAIRS.empty_table(), calibration, described)
  tables = [_equal(queries, digests)] + [
    _alike(queries, detector, embedded, results.thresholds(detector))
    for detector, embedded in vectors.items()
  ]
  results = results._replace(pairs=pa.concat_tables(tables))
  for file, table in (("pairs.parquet", results.pairs), ("calibration.parquet", calibration)):
    parquet.write(root / file, table)
  return results


def _check(
  queries: Embeddings,
  encoder: encoders.Encoder,
  sources: Mapping[str, data.Source],
  precision: float,
) -> None:
  if not 0 < precision <= 1:
    raise errors.InputError(f"precision={precision} is a share, above 0")
  if json.loads(json.dumps(encoder.identity)) != queries.described["encoder"]:
    raise errors.InputError(f"{encoder.name} is not what made these embeddings; embed anew")
  for name, (digest, _) in queries.described["data"].items():
    sample = data.sample(sources[name], queries.described.get("limit", 0))
    if data.hash_content(sources[name], sample) != digest:
      raise errors.InputError(f"data set {name} is not what was embedded; embed anew")


def _fingerprints(sets: list[Subject], total: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
  """Of all examples: hashes float16 [N, 64] and digests uint8 [N, 32]."""
  hashes = np.zeros((total, fingerprints.BITS), np.float16)
  digests = np.zeros((total, fingerprints.DIGEST), np.uint8)
  for subject in sets:
    prints = fingerprints.fingerprints(subject.source, subject.indices, workers=workers)
    if not prints.readable.all():
      raise errors.InputError(f"data set {subject.name} has images that cannot be read any more")
    hashes[subject.at], digests[subject.at] = prints.hashes, prints.digests
  return hashes, digests


def _equal(queries: Embeddings, digests: np.ndarray) -> pa.Table:
  """Each image with the first of the same pixels."""
  _, first, inverse = np.unique(digests, axis=0, return_index=True, return_inverse=True)
  leader = first[inverse.reshape(-1)]
  second = np.flatnonzero(leader != np.arange(len(leader)))
  similarity = np.ones(len(second), np.float32)
  return _table(queries, "exact", leader[second], second, similarity, similarity > 0)


def _alike(
  queries: Embeddings, detector: str, vectors: np.ndarray, thresholds: Mapping[str, float | None]
) -> pa.Table:
  """Every example with its nearest others; across data sets the higher threshold counts."""
  count = min(_NEIGHBOURS + 1, len(vectors))  # One of them is itself.
  size = neighbours.piece_size(len(vectors))
  pieces = (vectors[start : start + size] for start in range(0, len(vectors), size))
  nearest = neighbours.nearest(vectors, pieces, len(vectors), Settings(count))
  first = np.repeat(np.arange(len(vectors)), count)
  second, similarity = nearest.row.reshape(-1), nearest.similarity.reshape(-1)
  ends = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1)
  _, once = np.unique(ends, axis=0, return_index=True)
  once = once[ends[once, 0] != ends[once, 1]]
  limits = np.array([np.inf if (t := thresholds[name]) is None else t for name in queries.data])
  limit = np.maximum(limits[ends[once, 0]], limits[ends[once, 1]])
  duplicate = similarity[once] >= limit.astype(np.float32)
  return _table(queries, detector, ends[once, 0], ends[once, 1], similarity[once], duplicate)


def _table(
  queries: Embeddings,
  detector: str,
  first: np.ndarray,
  second: np.ndarray,
  similarity: np.ndarray,
  duplicate: np.ndarray,
) -> pa.Table:
  columns = {
    "detector": [detector] * len(first),
    "data": [queries.data[row] for row in first],
    "example": [queries.examples[row] for row in first],
    "other_data": [queries.data[row] for row in second],
    "other": [queries.examples[row] for row in second],
    "similarity": similarity,
    "duplicate": duplicate,
  }
  return pa.table(columns, schema=PAIRS)
