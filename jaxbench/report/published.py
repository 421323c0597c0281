"""The section of a report on tables that others have published, beside our own numbers."""

from typing import NamedTuple

from jaxbench import published
from jaxbench.report.sections import Classifier, Row, Table


class Published(NamedTuple):
  """Others' numbers beside our own, on one data set."""

  table: published.Table
  settings: list[str]  # "clean" and epsilons.
  attack: str | None  # Of our own numbers.
  theirs: list[tuple[str, list[float | None]]]  # Shares.
  # With the line of the same weights, and its numbers beside our cells.
  ours: list[tuple[Classifier, str | None, list[tuple[Row | None, published.Reference | None]]]]


def beside(name: str, data: str, tables: list[Table]) -> Published | None:
  """A published table of the data set, with the first attack of `tables` beside it."""
  theirs: dict[str, dict[str, float]] = {}
  for found in published.accuracies(name, data):
    theirs.setdefault(found.model, {})[found.epsilon] = found.accuracy
  if not theirs:
    return None
  settings = list(dict.fromkeys(setting for row in theirs.values() for setting in row))
  # Published tables are of the linf ball.
  attack = next((table for table in tables if table.norm == "linf"), None)
  ours = []
  for classifier, (clean, *_) in tables[0].lines if tables else ():
    cells: dict[str, Row | None] = {"clean": clean}
    if attack is not None:
      cells |= dict(zip(attack.settings, dict(attack.lines)[classifier], strict=True))
    same = published.under_attack(name, data, classifier.model, classifier.prompts)
    line, known = same or (None, {})
    ours.append((classifier, line, [(cells.get(each), known.get(each)) for each in settings]))
  return Published(
    published.TABLES[name],
    settings,
    attack and attack.perturbation,
    [(model, [row.get(setting) for setting in settings]) for model, row in theirs.items()],
    ours,
  )
