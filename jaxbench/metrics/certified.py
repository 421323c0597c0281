"""Certified accuracy over the radius, and attacks beside it, which may never cross it."""

import collections
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.records import kinds

RADII = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)  # In l2, pixel units.
_ATTACKS = (kinds.ATTACK, kinds.SMALLEST, kinds.TRANSFER, kinds.SMALLEST_TRANSFER)


class Certified(NamedTuple):
  """One smoothed model with one kind of certificate."""

  model: str
  data: str
  prompts: str | None
  certificate: str
  examples: int
  abstained: float  # The share of the examples.
  accuracy: dict[float, Proportion]  # Right and certified, at those of `RADII` that any reaches.
  radius: np.ndarray  # [N] float64: up to where each example is certified to be right, or 0.
  # [N] float64: size of the smallest l2 perturbation that fooled it, 0 where it is wrong without,
  # infinite where none did; None where no l2 attack was made.
  attacked: np.ndarray | None
  largest: float  # Epsilon that attacks went to.

  @property
  def refuted(self) -> int:
    """Examples that an attack fooled inside their certified radius."""
    if self.attacked is None:
      return 0
    return int(((self.attacked > 0) & (self.attacked < self.radius)).sum())


def summarize_certified(rows: pa.Table, cells: Iterable[Mapping[str, Any]]) -> list[Certified]:
  """A row for each cell of certificates that has been computed.

  Args:
    rows: of `records.read`.
    cells: of `run.json`, which say what each is.
  """
  cells = list(cells)
  by_classifier: dict[tuple[Any, ...], list[Mapping[str, Any]]] = collections.defaultdict(list)
  for cell in cells:
    if kinds.of(cell) in _ATTACKS and cell["norm"] == "l2":
      by_classifier[_who(cell)].append(cell)
  return [
    _certified(cell, own, rows, by_classifier[_who(cell)])
    for cell in cells
    if kinds.of(cell) == kinds.CERTIFIED and len(own := _rows(rows, cell))
  ]


def _who(cell: Mapping[str, Any]) -> tuple[Any, ...]:
  return cell["model"], cell["data"], cell["prompts"]


def _rows(rows: pa.Table, cell: Mapping[str, Any]) -> pa.Table:
  return rows.filter(pc.equal(rows["cell"].cast(pa.string()), cell["id"]))


def _certified(
  cell: Mapping[str, Any], own: pa.Table, rows: pa.Table, attacks: list[Mapping[str, Any]]
) -> Certified:
  examples = own["example"].to_pylist()
  prediction, label = own["prediction"].to_numpy(), own["label"].to_numpy()
  radius = own["radius"].to_numpy().astype(np.float64)
  right = np.where(prediction == label, radius, 0.0)
  model, data, prompts = _who(cell)
  return Certified(
    model=model,
    data=data,
    prompts=prompts,
    certificate=cell["perturbation"],
    examples=len(examples),
    abstained=float((radius == 0).mean()),
    accuracy={
      at: proportion(int((right > at).sum()), len(right))
      for at in RADII
      if at == 0 or (right > at).any()
    },
    radius=right,
    attacked=_attacked(examples, [_rows(rows, attack) for attack in attacks]),
    largest=max((attack["epsilon"] for attack in attacks), default=0.0),
  )


def _attacked(examples: list[str], attacks: list[pa.Table]) -> np.ndarray | None:
  """Of each example the smallest perturbation that fooled, over all attacks."""
  smallest = dict.fromkeys(examples, np.inf)
  known = False
  for table in attacks:
    columns = (table[name].to_pylist() for name in ("example", "success", "distance"))
    for example, success, distance in zip(*columns, strict=True):
      known = True
      if success and example in smallest:
        smallest[example] = min(smallest[example], distance)
  return np.array([smallest[one] for one in examples], np.float64) if known else None


def certificate_doubts(found: Certified) -> Iterator[str]:
  """What speaks against certificates, in a sentence; nothing where nothing does."""
  if found.refuted:
    yield (
      f"attacks fooled {found.refuted} of {found.examples} images inside their certified radius: "
      "few may be, by the chance that certificates leave and where votes are few; many are a sign "
      "that what was certified is not what was attacked"
    )
