"""Probes of composition: how often the right one of some sentences is preferred."""

import collections
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import records
from jaxbench.metrics.accuracy import Proportion, proportion

PROBE_COLUMNS = (  # That are looked at here.
  *("cell", "model", "data", "prompts", "perturbation", "severity", "epsilon"),
  *("direction", "example", "prediction", "rank", "tied", "scores"),
)
_ENOUGH = 25  # Cases of a kind, below which ARO leaves it out of its mean over attributes.
_PAIRED = ("image_0", "image_1")


class Winoground(NamedTuple):
  """Shares of pairs of images and captions; Thrush et al., 2022, section 4.1."""

  text: float  # Both images prefer their caption.
  image: float  # Both captions prefer their image.
  group: float  # Both of these.


class Probed(NamedTuple):
  """One cell of a probe."""

  cell: str
  model: str
  data: str
  prompts: str
  perturbation: str
  severity: int | None
  epsilon: float | None
  cases: int
  options: int  # Of each case.
  accuracy: Proportion  # As the probe's authors count ties.
  without_ties: float  # With ties as misses.
  with_ties: float  # With ties as hits.
  by_kind: dict[str, tuple[float, int]]  # Accuracy and number of cases.
  pairs: Winoground | None

  @property
  def mean_of_kinds(self) -> float:
    """As ARO reports relations, but that it leaves out symmetric ones, by a list of its own."""
    return float(np.mean([share for share, _ in self.by_kind.values()]))

  @property
  def mean_of_frequent_kinds(self) -> float | None:
    """As ARO reports attributes: of kinds with 25 cases or more; None where there is none."""
    shares = [share for share, count in self.by_kind.values() if count >= _ENOUGH]
    return float(np.mean(shares)) if shares else None


def probes(rows: pa.Table) -> list[Probed]:
  """All cells of probes.

  Args:
    rows: of `records.read`, with `PROBE_COLUMNS` at least.
  """
  kept = pc.and_(pc.is_valid(rows["rank"]), pc.is_valid(rows["tied"]))
  kept = pc.and_(kept, pc.is_null(rows["direction"]))
  tables = records.by_cell(rows.select(PROBE_COLUMNS).filter(kept))
  return [_probed(table) for table in tables.values()]


def _probed(rows: pa.Table) -> Probed:
  (shared,) = rows.slice(0, 1).select(PROBE_COLUMNS[:7]).to_pylist()
  rank, tied = (rows[name].to_numpy() for name in ("rank", "tied"))
  right = rows["prediction"].to_numpy() == 0
  names = [name.rpartition("/") for name in rows["example"].to_pylist()]
  kinds: dict[str, list[bool]] = collections.defaultdict(list)
  for (kind, _, _), hit in zip(names, right.tolist(), strict=True):
    kinds[kind].append(hit)
  scores = np.stack(rows["scores"].to_numpy())
  pairs = None
  if {number for _, _, number in names} == set(_PAIRED):
    pairs = _winoground([(kind, number) for kind, _, number in names], scores)
    kinds = {"all": right.tolist()}
  return Probed(
    **shared,
    cases=len(rows),
    options=scores.shape[1],
    accuracy=proportion(int(right.sum()), len(rows)),
    without_ties=float(((rank == 0) & (tied == 0)).mean()),
    with_ties=float((rank == 0).mean()),
    by_kind={kind: (float(np.mean(hits)), len(hits)) for kind, hits in sorted(kinds.items())},
    pairs=pairs,
  )


def _winoground(names: list[tuple[str, str]], scores: np.ndarray) -> Winoground | None:
  """Of images whose own caption is the first option; None where no pair is whole."""
  by_pair: dict[str, dict[str, Any]] = collections.defaultdict(dict)
  for (kind, number), options in zip(names, scores, strict=True):
    by_pair[kind][number] = options
  whole = [pair for pair in by_pair.values() if len(pair) == len(_PAIRED)]
  if not whole:
    return None
  first, second = (np.stack([pair[name] for pair in whole]) for name in _PAIRED)
  text = (first[:, 0] > first[:, 1]) & (second[:, 0] > second[:, 1])
  # A caption is the right option of its image, and the wrong one of the other.
  image = (first[:, 0] > second[:, 1]) & (second[:, 0] > first[:, 1])
  return Winoground(float(text.mean()), float(image.mean()), float((text & image).mean()))
