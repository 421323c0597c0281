"""Attacks on texts: what they cost, in accuracy or in recall."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import records
from jaxbench.metrics.attack_success import attack_success
from jaxbench.metrics.paired import Comparison, paired, shared
from jaxbench.metrics.recall import AT
from jaxbench.metrics.summary import is_correct
from jaxbench.records import directions, kinds

_KEY = ("model", "data", "prompts")


class Drop(NamedTuple):
  """Of the same texts, as they are and attacked: the share that is right, or in the first k."""

  clean: float
  attacked: float
  lost: Comparison  # The difference; of captions by whole images.


class TextAttacked(NamedTuple):
  """One attacked cell of a set of texts, or of captions that look for their images."""

  cell: str
  model: str
  data: str  # Of captions the set of their images.
  prompts: str
  perturbation: str
  protocol: str | None  # Of captions.
  texts: int
  drops: dict[int, Drop]  # By k, of recall; accuracy is that at 1.
  ranks: tuple[float, float] | None  # Means, of captions: as they are and attacked.
  success: float | None  # Of those right as they are, the share that is turned.
  edits: float  # Mean over texts that have changed; 0 if none has.
  candidates: float  # Mean over texts that were attacked; 0 if none was.


def text_attacks(rows: pa.Table) -> list[TextAttacked]:
  """All attacked cells whose examples are texts, with rows of the same texts as they are.

  Captions that are attacked together with the images are not among them.

  Args:
    rows: of `records.read`.
  """
  cells = records.by_cell(rows.filter(pc.is_valid(rows["edits"]))).values()
  alone = (table for table in cells if kinds.of_rows(table) == kinds.TEXT_ATTACK)
  return list(filter(None, (_attacked(table, rows) for table in alone)))


def _attacked(table: pa.Table, rows: pa.Table) -> TextAttacked | None:
  (first,) = table.slice(0, 1).select(["cell", *_KEY, "perturbation", "protocol"]).to_pylist()
  clean = rows.filter(records.is_value(rows["perturbation"], kinds.CLEAN))
  for name in _KEY:
    clean = clean.filter(records.is_value(clean[name], first[name]))
  if not len(clean):
    return None
  before, after = shared(clean, table)
  ranked = after["rank"].null_count == 0
  edits, candidates = (after[name].to_numpy() for name in ("edits", "candidates"))
  ranks = tuple(float(each["rank"].to_numpy().mean()) for each in (before, after))
  return TextAttacked(
    **first | {"data": directions.images_of(first["data"])},
    texts=len(after),
    drops=dict(_drops(before, after, ranked=ranked)),
    ranks=(ranks[0], ranks[1]) if ranked else None,
    success=attack_success(after, "set_difference", clean=before if ranked else None),
    edits=_mean(edits),
    candidates=_mean(candidates),
  )


def _drops(before: pa.Table, after: pa.Table, *, ranked: bool) -> Iterator[tuple[int, Drop]]:
  for k in AT if ranked else AT[:1]:
    clean, attacked = (
      each["rank"].to_numpy() < k if ranked else is_correct(each).to_numpy()
      for each in (before, after)
    )
    yield k, Drop(float(clean.mean()), float(attacked.mean()), paired(clean, attacked, after))


def _mean(counts: np.ndarray) -> float:
  """Of those that are not 0."""
  return float(counts[counts > 0].mean()) if (counts > 0).any() else 0.0
