"""Recall of retrieval: how often what belongs to a query is among the first that are found."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import records
from jaxbench.metrics.accuracy import proportion
from jaxbench.metrics.bootstrap import bootstrap
from jaxbench.records import directions

AT = (1, 5, 10)
RECALL_COLUMNS = (  # That are looked at here.
  *("cell", "model", "data", "prompts", "perturbation", "severity", "epsilon"),
  *("direction", "label", "rank", "tied"),
)
_SHARED = RECALL_COLUMNS[:7]
_SCHEMA = pa.schema(
  [
    *((name, pa.string()) for name in _SHARED[:5]),
    ("severity", pa.int32()),
    ("epsilon", pa.float64()),
    ("direction", pa.string()),
    ("queries", pa.int64()),
    *((f"recall_{k}{end}", pa.float64()) for k in AT for end in ("", "_low", "_high", "_tied")),
  ]
)


def recalls(rows: pa.Table) -> pa.Table:
  """Recall at 1, 5 and 10 of each cell of a set of images with captions.

  Args:
    rows: of `records.read`, with `RECALL_COLUMNS` at least.

  Returns:
    of each cell with ranks the `direction` and the number of `queries`; for each k `recall_k`, the
    share whose rank is below k, what is as similar counted for the model; `recall_k_tied`, the same
    counted against it, so that all orders of equal items are between the two; and `recall_k_low`
    and `recall_k_high`, its 95 % interval: Clopper-Pearson where images look for captions; where
    captions look for images, a bootstrap over images, whose captions are alike. `data` is the set
    of the images in both directions.
  """
  ranked = pc.and_(pc.is_valid(rows["rank"]), pc.is_valid(rows["direction"]))
  tables = records.by_cell(rows.select(RECALL_COLUMNS).filter(ranked))
  lines = sorted((_line(table) for table in tables.values()), key=_order)
  return pa.Table.from_pylist(lines, _SCHEMA)


def _order(line: dict[str, Any]) -> tuple[Any, ...]:
  """By sets and models; images first."""
  names = (line[name] for name in ("data", "model", "prompts", "perturbation"))
  return *names, line["severity"] or 0, line["epsilon"] or 0, line["direction"]


def _line(rows: pa.Table) -> dict[str, Any]:
  (first,) = rows.slice(0, 1).select([*_SHARED, "direction"]).to_pylist()
  rank, tied = (rows[name].to_numpy() for name in ("rank", "tied"))
  line = first | {"data": directions.images_of(first["data"]), "queries": len(rank)}
  hits = np.stack([rank < k for k in AT], axis=1)
  clustered = first["direction"] == directions.TEXT_TO_IMAGE
  intervals = _over_images(hits, rows["label"].to_numpy()) if clustered else _exact(hits)
  for k, column, ends in zip(AT, hits.T, intervals, strict=True):
    line |= {
      f"recall_{k}": float(column.mean()),
      f"recall_{k}_tied": float((rank + tied < k).mean()),
    }
    line |= dict(zip((f"recall_{k}_low", f"recall_{k}_high"), ends, strict=True))
  return line


def _exact(hits: np.ndarray) -> Iterator[tuple[float, float]]:
  """Intervals of shares of bool [N, K]."""
  for column in hits.T:
    found = proportion(int(column.sum()), len(column))
    yield found.low, found.high


def _over_images(hits: np.ndarray, labels: np.ndarray) -> Iterator[tuple[float, float]]:
  """Intervals of shares of bool [N, K], whose rows of one label stay together."""
  _, images = np.unique(labels, return_inverse=True)
  counts = np.bincount(images)
  sums = [np.bincount(images, weights=column) for column in hits.T]
  values = np.stack([*sums, counts], axis=1)

  def shares(means: np.ndarray) -> dict[str, np.ndarray]:
    return {str(place): means[..., place] / means[..., -1] for place in range(len(sums))}

  for found in bootstrap(values, shares).values():
    yield found.low, found.high
