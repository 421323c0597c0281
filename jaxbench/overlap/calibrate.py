"""Thresholds of similarity, set for a data set on copies that are planted in it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from jaxbench import data
from jaxbench.metrics import proportion
from jaxbench.overlap import encoders, fingerprints
from jaxbench.overlap.embeddings import Embeddings
from jaxbench.overlap.planted import KINDS, Change
from jaxbench.records.overlap import FIGURES

PRECISIONS = (0.9, 0.95, 0.99, 1.0)  # Of the table.
_BATCH = 256  # Decoded images in memory.

CALIBRATION = pa.schema([*FIGURES, *(pa.field(kind, pa.float64()) for kind in KINDS)])


class Subject(NamedTuple):
  """The embedded examples of one data set."""

  name: str
  source: data.Source
  at: np.ndarray  # [N] int, where they stand among all embeddings.
  indices: list[int]  # Into the source.

  @classmethod
  def of(cls, name: str, source: data.Source, queries: Embeddings) -> "Subject":
    """Those of the embedded `queries` that are of the data set `name`, which is `source`."""
    at = np.flatnonzero(np.array(queries.data) == name)
    where = {example: index for index, example in enumerate(source.ids)}
    return cls(name, source, at, [where[queries.examples[row]] for row in at])

  def first(self, count: int, digests: np.ndarray) -> "Subject":
    """The first `count` whose `digests` (of all queries) differ: a copy has one original."""
    _, different = np.unique(digests[self.at], axis=0, return_index=True)
    rows = np.sort(different)[:count]
    return self._replace(at=self.at[rows], indices=[self.indices[row] for row in rows])


def table(
  subject: Subject,
  encoder: encoders.Encoder,
  vectors: Mapping[str, np.ndarray],
  precision: float,
  slots: int,
  workers: int,
) -> pa.Table:
  """The thresholds of a data set, as CALIBRATION has them.

  Args:
    subject: the examples that copies are made of.
    encoder: what made the embeddings.
    vectors: of all examples [N, D], by detector: "perceptual" and "embedding".
    precision: one more than PRECISIONS.
    slots: images per device and program.
    workers: processes that decode; 0 is threads of this one.
  """
  copies = {
    "perceptual": _hashed(subject, workers),
    "embedding": _embedded(encoder, subject, slots, workers),
  }
  levels = sorted({*PRECISIONS, precision})
  lines = [
    {"data": subject.name, "detector": detector} | line
    for detector, made in copies.items()
    for line in thresholds(vectors[detector][subject.at], made, levels)
  ]
  return pa.Table.from_pylist(lines, schema=CALIBRATION)


def thresholds(
  originals: np.ndarray, copies: Mapping[str, np.ndarray], precisions: Sequence[float]
) -> list[dict[str, Any]]:
  """For each precision the lowest threshold that keeps it, and how many copies are found there.

  Every copy is compared with every original; its own is the only right answer. Precision depends on
  how many originals there are, and real duplicates among them count as errors, so it is what a set
  of this size has at least.

  Args:
    originals: [N, D], unit vectors.
    copies: of each kind [N, D], the copy of each original.
    precisions: shares of right answers among those above a threshold.

  Returns:
    for each precision `asked`; `threshold`, None if there is none; `precision`; `recall` and its
    95 % interval `recall_low`, `recall_high`; `originals` and `copies`; and the recall of each kind
    by its name.
  """
  truths, lies = {}, []
  exact = originals.astype(np.float32)
  for kind, vectors in copies.items():
    cosines = vectors.astype(np.float32) @ exact.T
    truths[kind] = np.diagonal(cosines).copy()
    lies.append(cosines[~np.eye(len(cosines), dtype=bool)])
  right, wrong = np.sort(np.concatenate(list(truths.values()))), np.sort(np.concatenate(lies))
  claims = len(right) - np.searchsorted(right, right)
  errors = len(wrong) - np.searchsorted(wrong, right)
  counts = {"originals": len(originals), "copies": len(right)}
  lines = []
  for level in precisions:
    enough = np.flatnonzero(claims / (claims + errors) >= level)
    threshold = float(right[enough[0]]) if len(enough) else None
    line: dict[str, Any] = counts | {"asked": level, "threshold": threshold, "precision": None}
    if threshold is not None:
      line["precision"] = float(claims[enough[0]] / (claims + errors)[enough[0]])
    line |= _recall({} if threshold is None else truths, threshold)
    lines.append(line)
  return lines


def _recall(truths: Mapping[str, np.ndarray], threshold: float | None) -> dict[str, float | None]:
  names = ("recall", "recall_low", "recall_high")
  if threshold is None:
    return dict.fromkeys((*names, *KINDS))
  recalled = {kind: flags >= np.float32(threshold) for kind, flags in truths.items()}
  total = np.concatenate(list(recalled.values()))
  share = proportion(int(total.sum()), len(total))
  return {
    **dict(zip(names, share, strict=True)),
    **{kind: float(flags.mean()) for kind, flags in recalled.items()},
  }


def _hashed(some: Subject, workers: int) -> dict[str, np.ndarray]:
  return {
    kind: fingerprints.fingerprints(some.source, some.indices, Change(kind), workers).hashes
    for kind in KINDS
  }


def _embedded(
  encoder: encoders.Encoder, some: Subject, slots: int, workers: int
) -> dict[str, np.ndarray]:
  rows = some.indices
  batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
  copies = {}
  for kind in KINDS:
    change = Change(kind, encoder.preprocess)
    copying = dataclasses.replace(encoder, preprocess=change)
    parts = encoders.encode(copying, some.source, batches, slots, workers)
    copies[kind] = np.concatenate([vectors for vectors, _ in parts])
  return copies
