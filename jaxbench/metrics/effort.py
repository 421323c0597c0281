"""What more of the same does to a defended model: accuracy over the steps, draws or queries of an
attack, where a run has several numbers of them."""

import collections
import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from jaxbench import model_names, spec
from jaxbench.metrics.defended import shares_right
from jaxbench.records import kinds, wording

PARAMETERS = {"steps": None, "draws": 1, "queries": None}  # With what is meant where none is told.
_WHICH = ("model", "data", "prompts", "epsilon", "parameter", "attack", "surrogate")
_STILL = 0.01  # By so much more of it has to lower the accuracy to be told.


class Effort(NamedTuple):
  """One defended model under an attack that differs in one number alone."""

  model: str
  data: str
  prompts: str | None
  epsilon: float
  parameter: str  # Of `PARAMETERS`.
  attack: str  # Without it.
  surrogate: str | None  # That the images were made on.
  accuracy: tuple[tuple[int, float], ...]  # By the number, ascending: shares that are right.

  @property
  def setting(self) -> str:
    """The epsilon as people write it."""
    return wording.format_epsilon(self.epsilon)


def summarize_effort(rows: pa.Table, cells: Iterable[Mapping[str, Any]]) -> list[Effort]:
  """A row for each defended model, attack and number of which there are several.

  Args:
    rows: of `records.read`.
    cells: of `run.json`, which say what each is.
  """
  attacked = [cell for cell in cells if _is_attacked(cell)]
  shares = shares_right(rows, [cell["id"] for cell in attacked])
  found: dict[Any, dict[int, float]] = collections.defaultdict(dict)
  for cell in attacked:
    if cell["id"] not in shares:
      continue
    accuracy = statistics.fmean(shares[cell["id"]].values())
    name, arguments = spec.parse(cell["attack"], "attack")
    for parameter, usual in PARAMETERS.items():
      value = arguments.get(parameter, usual)
      if isinstance(value, int):
        others = {key: other for key, other in arguments.items() if key != parameter}
        told = spec.write(name, others)
        which = [cell[name] for name in ("model", "data", "prompts", "epsilon")]
        found[(*which, parameter, told, cell["surrogate"])][value] = accuracy
  return [
    Effort(**dict(zip(_WHICH, which, strict=True)), accuracy=tuple(sorted(by_value.items())))
    for which, by_value in found.items()
    if len(by_value) > 1
  ]


def _is_attacked(cell: Mapping[str, Any]) -> bool:
  """Whether a cell is of a defended model under an attack at an epsilon."""
  defended = model_names.split_defences(cell["model"])[1]
  return bool(defended) and kinds.of(cell) in (kinds.ATTACK, kinds.TRANSFER)


def effort_doubts(found: Effort) -> Iterator[str]:
  """Why an attack was too short to tell of a defence, in a sentence; nothing where it was not."""
  (first, before), (last, after) = found.accuracy[-2:]
  if (lost := before - after) >= _STILL:
    yield (
      f"{last} {found.parameter} of {found.attack} instead of {first} take another "
      f"{100 * lost:.1f} points: it has not converged, give it more"
    )
