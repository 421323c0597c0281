"""Averages over data sets, as papers on zero-shot classifiers report them."""

import collections
import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from jaxbench.metrics.headline import TOP_1, headline
from jaxbench.metrics.published import SUITES
from jaxbench.records import kinds

ALL = "all"  # Sets of a run that were asked with prompts of their own.
_OWN = "own"  # How prompts of their own are called.


class Average(NamedTuple):
  """One classifier over some sets, clean or at one epsilon."""

  suite: str  # Of `SUITES`, whose papers average top-1; or `ALL`, each by what it is reported by.
  model: str
  prompts: str | None  # Several are joined, where sets have prompts of their own.
  perturbation: str | None  # None where each set has an attack of its own.
  epsilon: float | None  # None: clean.
  cells: dict[str, str]  # By data set.
  by_set: dict[str, float]  # Shares.

  @property
  def value(self) -> float:
    """Every set counts alike, however large it is."""
    return float(np.mean(list(self.by_set.values())))


def averages(summary: pa.Table, metric: Mapping[str, str] | None = None) -> list[Average]:
  """All averages that the cells of a run allow.

  That is of each of `SUITES` whose sets are all there, and of all sets that were asked with prompts
  of their own, where there are several. An attack counts where it was made on all of them; or at an
  epsilon at which each of them has exactly one, as where classes are too few for another.

  Args:
    summary: of `summarize`.
    metric: of each data set, as `run.json` names it; of a set that is not here it is top-1.
  """
  cells = [row for row in summary.to_pylist() if kinds.of(row) in (kinds.CLEAN, kinds.ATTACK)]
  own = [row for row in cells if (row["prompts"] or "").startswith(_OWN)]
  sets = tuple(dict.fromkeys(row["data"] for row in own))
  asked = dict(SUITES) | ({ALL: sets} if len(sets) > 1 else {})
  found = []
  for suite, members in asked.items():
    rows = [row for row in (own if suite == ALL else cells) if row["data"] in members]
    reported = (metric or {}) if suite == ALL else {}
    for model in dict.fromkeys(row["model"] for row in rows):
      mine = [row for row in rows if row["model"] == model]
      averaged = (_average(suite, members, alike, reported) for alike in _alike(mine, members))
      found += [average for average in averaged if None not in average.by_set.values()]
  return found


def _alike(rows: list[dict], sets: tuple[str, ...]) -> Iterator[list[dict]]:
  """Rows of a model that are averaged: one of each set."""
  for same in _of_each(rows, sets, lambda row: row["prompts"]):
    at = collections.defaultdict(list)
    for row in same:
      at[row["epsilon"]].append(row)
    for epsilon in sorted(at, key=lambda epsilon: epsilon or 0):
      yield from _of_each(at[epsilon], sets, lambda row: row["perturbation"])


def _of_each(
  rows: list[dict], sets: tuple[str, ...], key: Callable[[dict], Hashable]
) -> Iterator[list[dict]]:
  """Rows with a value of `key` that all sets have; or all of them, if each set has one value."""
  values: dict[str, dict[Hashable, list[dict]]] = {name: {} for name in sets}
  for row in rows:
    values[row["data"]].setdefault(key(row), []).append(row)
  shared = [value for value in values[sets[0]] if all(value in of for of in values.values())]
  if shared:
    for value in shared:
      yield list(itertools.chain(*(of[value] for of in values.values())))
  elif all(len(of) == 1 for of in values.values()):
    yield rows


def _average(
  suite: str, sets: tuple[str, ...], rows: list[dict], metric: Mapping[str, str]
) -> Average:
  by_set = {row["data"]: row for row in rows}
  prompts = list(dict.fromkeys(by_set[name]["prompts"] for name in sets))
  perturbations = {row["perturbation"] for row in rows}
  return Average(
    suite,
    rows[0]["model"],
    ", ".join(prompts) if all(prompts) else None,
    perturbations.pop() if len(perturbations) == 1 else None,
    rows[0]["epsilon"],
    {name: by_set[name]["cell"] for name in sets},
    {name: by_set[name][headline(metric.get(name, TOP_1))] for name in sets},
  )
