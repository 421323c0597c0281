"""Average precision: how well scores rank the images that show a class before all others."""

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from jaxbench.metrics.broken import NOTHING

_RECALLS = np.arange(11) / 10


def average_precision(score: ArrayLike, positive: ArrayLike) -> float:
  """The mean over the positives of the precision down to each; equal scores are one rank.

  That is the area under the precision-recall curve, as CLIP_benchmark and scikit-learn have it.

  Args:
    score: [N] float, larger for what is thought positive.
    positive: [N] bool.

  Raises:
    ValueError: there is no positive, so there is no number.
  """
  precision, recall = _curve(score, positive)
  return float(np.sum(precision * np.diff(recall, prepend=0)))


def eleven_point_precision(score: ArrayLike, positive: ArrayLike) -> float:
  """The mean of the best precisions at recalls of at least 0, 0.1, ..., 1 (VOC's, until 2009).

  Args:
    score: [N] float.
    positive: [N] bool.

  Raises:
    ValueError: there is no positive.
  """
  precision, recall = _curve(score, positive)
  # A recall of 3/10 is no float; the ranks that reach it are meant.
  reached = recall[None] >= _RECALLS[:, None] - 1e-12
  return float(np.where(reached, precision, 0).max(axis=1).mean())


def _curve(score: ArrayLike, positive: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
  """Precision and recall [T] at each score that occurs, the largest first."""
  scores, hits = np.asarray(score), np.asarray(positive, bool)
  if not hits.any():
    raise ValueError("there is no positive")
  order = np.argsort(-scores, kind="stable")
  ranked = scores[order]
  ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # The last of each score.
  found = np.cumsum(hits[order])[ends]
  return found / (ends + 1), found / hits.sum()


def mean_average_precision(rows: pa.Table) -> tuple[float, float] | None:
  """The mean over classes of the average precision, and of that at eleven points.

  Classes that no image shows do not count. Where a logit is not finite, the image is ranked last
  among those that show a class and first among those that do not.

  Args:
    rows: of one cell, all with `scores`.

  Returns:
    both; None where there are no rows.
  """
  if not len(rows):
    return None
  scores = np.stack(rows["scores"].to_numpy(zero_copy_only=False)).astype(np.float64)
  right = np.zeros(scores.shape, bool)
  alone = zip(rows["label"].to_pylist(), rows["labels"].to_pylist(), strict=True)
  for row, (label, labels) in enumerate(alone):
    right[row, labels or [label]] = True
  broken = (rows["prediction"].to_numpy() == NOTHING)[:, None]
  scores = np.where(broken, np.where(right, -np.inf, np.inf), scores)
  shown = np.flatnonzero(right.any(axis=0))
  figures = (average_precision, eleven_point_precision)
  full, eleven = (np.mean([of(scores[:, k], right[:, k]) for k in shown]) for of in figures)
  return float(full), float(eleven)
