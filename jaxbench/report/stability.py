"""The section of a report on sequences of frames: flips, and rates where there is a reference."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxbench import metrics
from jaxbench.report.sections import ByCell, Classifier, Row, of, rows_of

_MEANS = ("mean", "mfr", "mt5d")
Changes = dict[str, np.ndarray]  # See `metrics.changes_by_sequence`.


class Sequences(NamedTuple):
  """All sequences of a data set."""

  columns: list[str]  # Names of figures; see `metrics.flip_rates`.
  lines: list[tuple[Classifier, metrics.Stability]]
  missing: tuple[str, ...]  # Of the ten that means are taken over.
  reference: str | None  # What rates are divided by.
  still: tuple[str, ...]  # Of the ten, those that the reference does not flip in: no rates.
  difficulty: int


def sequences(
  data: str,
  cells: list[Row],
  by_cell: ByCell,
  classifiers: list[Classifier],
  run: Mapping[str, Any],
) -> Sequences | None:
  """Of a data set's cells of sequences; `run` is run.json."""
  found = {one: rows_of(of(one, cells), by_cell) for one in classifiers}
  every = {
    one: metrics.changes_by_sequence(rows, one.model, one.prompts, data)
    for one, rows in found.items()
    if rows is not None
  }
  changes = {one: own for one, own in every.items() if any(map(len, own.values()))}
  if not changes:
    return None
  reference, divisor = _reference(run, changes)
  lines = [(one, metrics.flip_rates(own, reference=divisor)) for one, own in changes.items()]
  means = [name for name in _MEANS if any(name in found.figures for _, found in lines)]
  names = dict.fromkeys(name for own in changes.values() for name in own)
  missing = lines[0][1].missing
  if missing or divisor is None:
    still: tuple[str, ...] = ()
  else:
    still = tuple(name for name in metrics.SEQUENCES if min(divisor.get(name, (0,))) <= 0)
  difficulty = run["identity"]["config"]["corruptions"]["difficulty"]
  return Sequences([*means, *names], lines, missing, reference, still, difficulty)


def _reference(
  run: Mapping[str, Any], changes: Mapping[Classifier, Changes]
) -> tuple[str | None, dict[str, metrics.Flips] | None]:
  """What rates are divided by, in words and in numbers: the first line of a model, or a file."""
  asked = run["flip_reference"]
  if asked and asked["table"]:
    table = {name: metrics.Flips(**flips) for name, flips in asked["table"].items()}
    return f"the table {asked['name']}", table
  for one, own in changes.items():
    if asked and one.model == asked["name"]:
      means = {name: metrics.Flips(*map(float, each.mean(axis=0))) for name, each in own.items()}
      return f"{one.name} of this run", means
  return None, None
