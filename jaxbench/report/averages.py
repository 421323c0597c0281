"""The section of a report on averages over data sets, with those that others have published."""

import collections
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jaxbench import metrics
from jaxbench.metrics import published
from jaxbench.records import wording
from jaxbench.report import protocols
from jaxbench.report.classifiers import Row
from jaxbench.report.protocols import Beside

_MOST = 4  # Differences that are told; further ones are counted.


class Column(NamedTuple):
  """Clean images, or an attack at one epsilon."""

  perturbation: str | None  # None: an attack of its own for each set.
  epsilon: float | None

  @property
  def title(self) -> str:
    """For people."""
    if self.epsilon is None:
      return "clean"
    name = self.perturbation or "each set's attack"
    return f"{name} {wording.format_epsilon(self.epsilon)}"


class Line(NamedTuple):
  """One of our classifiers; by column its average and the published one of the same weights."""

  name: str
  cells: list[tuple[metrics.Average | None, Beside | None]]

  @property
  def differs(self) -> str:
    """What is not as it was there, in words."""
    told = dict.fromkeys(reference.note for _, reference in self.cells if reference)
    return ". ".join(note for note in told if note)


class Suite(NamedTuple):
  """Averages over the same sets."""

  name: str
  sets: list[str]
  columns: list[Column]
  theirs: list[tuple[str, str, list[float | None]]]  # Table, model, and shares by column.
  ours: list[Line]


def suites(summary: Mapping[str, Row], found: list[metrics.Average], run: Row) -> list[Suite]:
  """All averages of a run, suite by suite.

  Args:
    summary: rows of `metrics.summarize`, by cell.
    found: of `metrics.averages`.
    run: run.json.
  """
  by_suite: dict[str, list[metrics.Average]] = collections.defaultdict(list)
  for average in found:
    by_suite[average.suite].append(average)
  return [_suite(name, some, summary, run) for name, some in by_suite.items()]


def _suite(name: str, some: list[metrics.Average], summary: Mapping[str, Row], run: Row) -> Suite:
  columns = list(dict.fromkeys(Column(each.perturbation, each.epsilon) for each in some))
  columns.sort(key=lambda column: (column.epsilon is not None, column.perturbation or ""))
  cells = {cell["id"]: cell for cell in run["cells"]}
  tables = [
    (table, mean)
    for table in run["published"]
    for mean, suite in published.MEANS.items()
    if suite == name and published.accuracies(table, mean)
  ]
  known = {(each.model, each.prompts, each.perturbation, each.epsilon): each for each in some}
  theirs = []
  shown: dict[str, list[int]] = {}  # Of a table, the columns whose attack is nearest to its own.
  for table, mean in tables:
    shown[table] = _columns_of(table, columns, some, cells)
    shares: dict[str, dict[str, float]] = collections.defaultdict(dict)
    for entry in published.accuracies(table, mean):
      shares[entry.model][entry.epsilon] = entry.accuracy
    for model, by_epsilon in shares.items():
      values = [
        by_epsilon.get(_setting(column)) if place in shown[table] else None
        for place, column in enumerate(columns)
      ]
      theirs.append((table, model, values))
  ours = []
  for model, prompts in dict.fromkeys((each.model, each.prompts) for each in some):
    line = []
    for place, column in enumerate(columns):
      average = known.get((model, prompts, *column))
      beside = [(table, mean) for table, mean in tables if place in shown[table]]
      line.append((average, average and _reference(average, beside, summary, cells, run)))
    ours.append(Line(", ".join(filter(None, (model, prompts))), line))
  return Suite(name, list(some[0].by_set), columns, theirs, ours)


def _setting(column: Column) -> str:
  return "clean" if column.epsilon is None else wording.format_epsilon(column.epsilon)


def _columns_of(
  table: str, columns: list[Column], some: list[metrics.Average], cells: Mapping[str, Row]
) -> list[int]:
  """The columns beside which a published table stands: with its attack if we have that."""
  member, cell_of = next(iter(some[0].by_set)), {}
  for average in some:
    cell_of[average.perturbation, average.epsilon] = cells[average.cells[member]]
  attack = published.protocol(table, member, None, attacked=True).attack
  matching = [
    place
    for place, column in enumerate(columns)
    if column.epsilon is None or (attack and protocols.same_attack(cell_of[column], attack))
  ]
  attacked = any(columns[place].epsilon is not None for place in matching)
  return matching if attacked else list(range(len(columns)))


def _reference(
  average: metrics.Average,
  tables: Iterable[tuple[str, str]],
  summary: Mapping[str, Row],
  cells: Mapping[str, Row],
  run: Row,
) -> Beside | None:
  """What others have measured of the same weights, with what differs on whichever set."""
  setting = _setting(Column(average.perturbation, average.epsilon))
  for table, mean in tables:
    line, shares = published.under_attack(table, mean, average.model) or (None, {})
    if setting not in shares:
      continue
    differs: dict[str, list[str]] = collections.defaultdict(list)
    for data, cell in average.cells.items():
      protocol = published.protocol(table, data, line, attacked=average.epsilon is not None)
      examples = summary[cell]["examples"]
      for what in protocols.differences(protocol, run, cells[cell], examples):
        differs[what].append(data)
    return Beside(shares[setting], published.TABLES[table].source, _told(differs, average.cells))
  return None


def _told(differs: Mapping[str, list[str]], sets: Iterable[str]) -> tuple[str, ...]:
  count = len(list(sets))
  words = [
    what
    if len(of) == count
    else f"{', '.join(of[:2])}{' and others' if len(of) > 2 else ''}: {what}"
    for what, of in differs.items()
  ]
  more = (f"{len(words) - _MOST} more differences",) if len(words) > _MOST else ()
  return (*words[:_MOST], *more)
