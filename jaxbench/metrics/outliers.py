"""Whether a classifier is less sure of images of classes that it does not know.

ImageNet-O (Hendrycks et al., 2021, arXiv:1907.07174, section 4.4): its images show none of its 200
classes, and ImageNet's validation images of those classes are what they are told apart from.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy
from numpy.typing import ArrayLike

from jaxbench import records
from jaxbench.metrics.broken import NOTHING
from jaxbench.metrics.precision import average_precision
from jaxbench.records import kinds

# Data sets of outliers, each with that of the images which are none.
OUTLIERS = {"imagenet-o": "imagenet-on-imagenet-o"}
OUTLIER_COLUMNS = (  # That are looked at here.
  *("cell", "data", "model", "prompts", "perturbation", "prediction", "confidence", "scores"),
)
_SCHEMA = pa.schema(
  [
    *((name, pa.string()) for name in ("data", "model", "prompts", "score")),
    *((name, pa.float64()) for name in ("auroc", "fpr95", "aupr")),
    *((name, pa.int64()) for name in ("inliers", "outliers")),
  ]
)


def auroc(inliers: ArrayLike, outliers: ArrayLike) -> float:
  """The chance that an inlier has the larger score of two; equal ones count half.

  Args:
    inliers: [N] float, scores that are larger for what is known.
    outliers: [M] float.
  """
  inside, outside = np.asarray(inliers), np.asarray(outliers)
  ranks = scipy.stats.rankdata(np.concatenate([inside, outside]))[: len(inside)]
  return float((ranks.sum() / len(inside) - (len(inside) + 1) / 2) / len(outside))


def fpr95(inliers: ArrayLike, outliers: ArrayLike) -> float:
  """The share of outliers that pass for inliers where 95 % of the inliers do, or just more.

  Args:
    inliers: [N] float, scores that are larger for what is known.
    outliers: [M] float.
  """
  inside = np.sort(np.asarray(inliers))[::-1]
  threshold = inside[int(np.ceil(0.95 * len(inside))) - 1]
  return float(np.mean(np.asarray(outliers) >= threshold))


def summarize_outliers(rows: pa.Table) -> pa.Table:
  """How well outliers are told from what is known, by two scores of each classifier.

  Args:
    rows: of `records.read`, with `OUTLIER_COLUMNS` at least.

  Returns:
    for each set of outliers whose inliers are in the rows too, each classifier and each `score`,
    the largest probability (of a softmax over the classes) and the largest logit (of a zero-shot
    classifier, the scaled cosine with the nearest class): `auroc`, `fpr95`, and `aupr`, the average
    precision of outliers, which is what the authors of ImageNet-O report; with the numbers of
    `inliers` and `outliers`. What has no finite logits counts as told wrong.
  """
  names = pa.array([*OUTLIERS, *OUTLIERS.values()])
  clean = pc.equal(rows["perturbation"], kinds.CLEAN)
  cells = records.by_cell(
    rows.select(OUTLIER_COLUMNS).filter(pc.and_(clean, pc.is_in(rows["data"], names)))
  )
  known = {_key(table, table["data"][0].as_py()): table for table in cells.values()}
  lines = [
    _key(table, data)._asdict() | {"score": score} | _figures(inliers, outliers)
    for table in cells.values()
    if (within := OUTLIERS.get(data := table["data"][0].as_py()))
    and (inside := known.get(_key(table, within)))
    for score, outliers, inliers in _scores(table, inside)
  ]
  return pa.Table.from_pylist(lines, _SCHEMA)


class _Key(NamedTuple):
  data: str
  model: str
  prompts: str | None


def _key(rows: pa.Table, data: str) -> _Key:
  return _Key(data, rows["model"][0].as_py(), rows["prompts"][0].as_py())


def _scores(outside: pa.Table, inside: pa.Table) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
  """By name, the scores of outliers and of inliers."""
  for name, of in (("largest probability", _confidence), ("largest logit", _largest_logit)):
    outliers, inliers = of(outside), of(inside)
    if outliers is not None and inliers is not None:
      broken = [table["prediction"].to_numpy() == NOTHING for table in (outside, inside)]
      yield name, np.where(broken[0], np.inf, outliers), np.where(broken[1], -np.inf, inliers)


def _confidence(rows: pa.Table) -> np.ndarray:
  return rows["confidence"].to_numpy()


def _largest_logit(rows: pa.Table) -> np.ndarray | None:
  """None where records have no logits."""
  if rows["scores"].null_count:
    return None
  return np.stack(rows["scores"].to_numpy()).max(axis=1)


def _figures(inliers: np.ndarray, outliers: np.ndarray) -> dict[str, Any]:
  positive = np.arange(len(outliers) + len(inliers)) < len(outliers)
  return {
    "auroc": auroc(inliers, outliers),
    "fpr95": fpr95(inliers, outliers),
    "aupr": average_precision(-np.concatenate([outliers, inliers]), positive),
    "inliers": len(inliers),
    "outliers": len(outliers),
  }
