"""The section of a report on sequences of frames: flips, and rates where there is a reference."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxbench import metrics
from jaxbench.report.classifiers import ByCell, Classifier, Row, cells_of, rows_of

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
  """All sequences of a data set; None without any.

  Args:
    data: its name.
    cells: of its sequences.
    by_cell: their rows.
    classifiers: of the run.
    run: run.json.
  """
  rows = {each: rows_of(cells_of(each, cells), by_cell) for each in classifiers}
  every = {
    each: metrics.changes_by_sequence(table, each.model, each.prompts, data)
    for each, table in rows.items()
    if table is not None
  }
  changes = {each: named for each, named in every.items() if any(map(len, named.values()))}
  if not changes:
    return None
  reference, divisor = _reference(run, changes)
  lines = [(each, metrics.flip_rates(named, reference=divisor)) for each, named in changes.items()]
  means = [name for name in _MEANS if any(name in line.figures for _, line in lines)]
  names = dict.fromkeys(name for named in changes.values() for name in named)
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
  reference = run["flip_reference"]
  if not reference:
    return None, None
  if reference["table"]:
    table = {name: metrics.Flips(**flips) for name, flips in reference["table"].items()}
    return f"the table {reference['name']}", table
  for each, named in changes.items():
    if each.model == reference["name"]:
      means = {name: metrics.Flips(*map(float, rows.mean(axis=0))) for name, rows in named.items()}
      return f"{each.name} of this run", means
  return None, None
