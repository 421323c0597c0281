"""The section of a report on sequences of frames: flips, and rates where there is a reference."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from jaxbench import metrics
from jaxbench.report.sections import Classifier


class Sequences(NamedTuple):
  """All sequences of a data set."""

  names: list[str]
  lines: list[tuple[Classifier, metrics.Stability]]
  missing: tuple[str, ...]  # Of the ten that means are taken over.
  reference: str | None  # What rates are divided by; None without rates.
  difficulty: int

  @property
  def means(self) -> list[str]:
    """Figures over all ten sequences."""
    known = ("mean", "mean/top5", "mfr", "mt5d")
    return [name for name in known if any(name in found.figures for _, found in self.lines)]


def sequences(
  data: str, rows: pa.Table, classifiers: list[Classifier], run: Mapping[str, Any]
) -> Sequences | None:
  """Of a data set; `run` is run.json."""
  lines, asked = [], run["identity"]["config"]["corruptions"]
  changes = {
    one: found
    for one in classifiers
    if (found := metrics.changes_by_sequence(rows, one.model, one.prompts, data))
    and len(next(iter(found.values())))
  }
  if not changes:
    return None
  reference, divisor = _reference(run, changes)
  for one, found in changes.items():
    lines.append((one, metrics.flip_rates(found, reference=divisor)))
  names = list(dict.fromkeys(name for found in changes.values() for name in found))
  missing = lines[0][1].missing
  return Sequences(names, lines, missing, reference if not missing else None, asked["difficulty"])


def _reference(
  run: Mapping[str, Any], changes: Mapping[Classifier, Mapping[str, Any]]
) -> tuple[str | None, dict[str, metrics.Flips] | None]:
  """What rates are divided by, in words and in numbers: the first line of a model, or a file."""
  asked = run["identity"]["config"]["corruptions"].get("flip_reference")
  if table := run.get("flip_reference"):
    return f"the table {asked}", {name: metrics.Flips(**flips) for name, flips in table.items()}
  for one, found in changes.items():
    if one.model == asked:
      means = {name: metrics.Flips(*map(float, own.mean(axis=0))) for name, own in found.items()}
      return f"{one.name} of this run", means
  return None, None
