"""The tables that a run prints when it ends."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from jaxbench.metrics import published
from jaxbench.metrics.averages import Average
from jaxbench.metrics.headline import TOP_1, headline
from jaxbench.metrics.recall import AT
from jaxbench.records import kinds, wording

_ACCURACY = "accuracy, percent (corruptions: mean over severities)"
# By kind, which figure of a cell is shown instead of the accuracy, and the title of its table.
_SHOWN = {kinds.SEQUENCE: ("flips", "predictions that flip between frames, percent")}
_SHOWN |= dict.fromkeys(kinds.BISECTED, ("median_epsilon", "smallest epsilon that fools, median"))
_SHOWN[kinds.TARGETED] = ("followed", "predictions of the class aimed at, percent")
_AT_EPSILONS = (kinds.ATTACK, kinds.TARGETED, kinds.TRANSFER, kinds.UNIVERSAL)
_HEAD = ("data", "model", "prompts")
_ABSENT = "-"


def overview(
  summary: pa.Table, metric: Mapping[str, str] | None = None, width: int | None = None
) -> str:
  """Accuracy or what else a set is reported by, a line per model and prompt set.

  There is a table for each unit.

  Corruptions are averaged over their severities; attacks stand at the middle one of their epsilons.

  Args:
    summary: of `summarize`.
    metric: of each data set, as `run.json` names it; of a set that is not here it is top-1.
    width: characters of a line; wider tables are continued below. None sets no limit.
  """
  return "\n\n".join(
    "\n".join([table.title, *_aligned([*table.columns[:3], *piece])])
    for table in overview_tables(summary, metric)
    for piece in _pieces(table.columns[:3], table.columns[3:], width)
  )


class Table(NamedTuple):
  """Figures of one unit, as texts."""

  title: str
  columns: list[list[str]]  # Each with its title; data set, model and prompts come first.


def overview_tables(summary: pa.Table, metric: Mapping[str, str] | None = None) -> list[Table]:
  """The tables of `overview`, to be shown otherwise."""
  units: dict[str, dict[str, list[dict]]] = {}
  for title, cells in _columns(summary.to_pylist()).items():
    units.setdefault(_shown(cells[0])[1], {})[title] = cells
  return [_table(unit, columns, metric or {}) for unit, columns in units.items()]


def _table(unit: str, columns: Mapping[str, list[dict]], metric: Mapping[str, str]) -> Table:
  lines = sorted({_line(cell) for cells in columns.values() for cell in cells})
  head = [list(column) for column in zip(*(_named(line, metric) for line in lines), strict=True)]
  head = [[title, *column] for title, column in zip(_HEAD, head, strict=True)]
  body = [
    [title, *(_value([cell for cell in cells if _line(cell) == line], metric) for line in lines)]
    for title, cells in columns.items()
  ]
  return Table(unit, [*head, *body])


def overview_shifts(shifts: pa.Table) -> str:
  """A line per shift and classifier of `summarize_shifts`, in percent; "" if there are none."""
  names = ("standard", "accuracy", "expected", "effective_robustness")
  table = [["shift", "model", "prompts", "standard", "accuracy", "expected", "effective"]]
  for row in shifts.to_pylist():
    values = [_ABSENT if row[name] is None else f"{100 * row[name]:.1f}" for name in names]
    table.append([row["shift"], row["model"], row["prompts"] or _ABSENT, *values])
  return _listed("natural shifts, percent", table)


def overview_averages(averages: Iterable[Average], tables: Iterable[str] = ()) -> str:
  """A line per average over data sets, in percent; "" without any.

  Args:
    averages: of `averages`.
    tables: names of published ones, of whose models the next below and above stand beside, by value
      alone: what is measured otherwise is not told here.
  """
  tables = tuple(tables)
  title, beside = "averages over data sets, percent", ["published below", "published above"]
  table = [["average of", "sets", "model", "prompts", "under", "epsilon", "average", *beside]]
  for found in averages:
    epsilon = _ABSENT if found.epsilon is None else wording.format_epsilon(found.epsilon)
    under = found.perturbation or "each set's attack"
    prompts = found.prompts or _ABSENT
    names = [found.suite, str(len(found.by_set)), found.model, prompts, under, epsilon]
    table.append([*names, f"{100 * found.value:.1f}", *_neighbours(found, tables)])
  if all(row[-2:] == [_ABSENT, _ABSENT] for row in table[1:]):
    return _listed(title, [row[:-2] for row in table])
  return _listed(f"{title}; what is measured otherwise, the report tells", table)


def _neighbours(found: Average, tables: Iterable[str]) -> list[str]:
  """The published means over the same sets that are next below and above."""
  setting = "clean" if found.epsilon is None else wording.format_epsilon(found.epsilon)
  known = [
    (entry.accuracy, f"{100 * entry.accuracy:.1f} {entry.model} ({table})")
    for table in tables
    for mean, suite in published.MEANS.items()
    if suite == found.suite
    for entry in published.accuracies(table, mean)
    if entry.epsilon == setting
  ]
  _, below = max((one for one in known if one[0] <= found.value), default=(0, _ABSENT))
  _, above = min((one for one in known if one[0] > found.value), default=(0, _ABSENT))
  return [below, above]


def overview_outliers(outliers: pa.Table) -> str:
  """A line per set, classifier and score of `summarize_outliers`, in percent; "" without any."""
  names = ("auroc", "fpr95", "aupr")
  table = [["outliers", "model", "prompts", "score", "AUROC", "FPR95", "AUPR"]]
  for row in outliers.to_pylist():
    values = [f"{100 * row[name]:.1f}" for name in names]
    table.append([row["data"], row["model"], row["prompts"] or _ABSENT, row["score"], *values])
  return _listed("outliers told apart, percent", table)


def overview_recalls(recalls: pa.Table) -> str:
  """A line per clean cell of `recalls`, in percent; "" without any."""
  table = [["retrieval", "model", "captions", "direction", *(f"R@{k}" for k in AT)]]
  for row in recalls.to_pylist():
    if row["perturbation"] == kinds.CLEAN:
      values = [f"{100 * row[f'recall_{k}']:.1f}" for k in AT]
      direction = row["direction"].replace("_", " ")
      table.append([row["data"], row["model"], row["prompts"], direction, *values])
  return _listed("recall of retrieval, percent", table)


def _line(row: Mapping) -> tuple[str, str, str]:
  return row["data"], row["model"], row["prompts"] or _ABSENT


def _named(line: tuple[str, str, str], metric: Mapping[str, str]) -> tuple[str, str, str]:
  data, model, prompts = line
  other = metric.get(data) or TOP_1
  return (data if other == TOP_1 else f"{data} ({other})"), model, prompts


def _shown(cell: Mapping) -> tuple[str, str]:
  return _SHOWN.get(kinds.of(cell), ("accuracy", _ACCURACY))


def _value(cells: list[dict], metric: Mapping[str, str]) -> str:
  """The figure of some cells of one kind: a median, or a mean in percent."""
  if not cells:
    return _ABSENT
  shown, _ = _shown(cells[0])
  if shown == "median_epsilon":
    (cell, *_) = cells
    return _distance(cell[shown], cell["epsilon"])
  if shown == "accuracy":
    shown = headline(metric.get(cells[0]["data"]))
  return f"{100 * sum(cell[shown] for cell in cells) / len(cells):.1f}"


def _columns(rows: Iterable[dict]) -> dict[str, list[dict]]:
  """Cells by column title: clean, corruptions, attacks."""
  columns: dict[str, list[dict]] = {}
  for row in sorted(rows, key=lambda row: (row["epsilon"] is not None, row["perturbation"])):
    columns.setdefault(row["perturbation"], []).append(row)
  if "clean" in columns:
    columns = {"clean": columns.pop("clean"), **columns}
  titled = {}
  for name, cells in columns.items():
    epsilons = sorted({cell["epsilon"] for cell in cells} - {None})
    if epsilons and kinds.of(cells[0]) in _AT_EPSILONS:
      middle = epsilons[len(epsilons) // 2]
      cells = [cell for cell in cells if cell["epsilon"] == middle]
      name = f"{name} {wording.format_epsilon(middle)}"
    titled[name] = cells
  return titled


def _distance(value: float, bound: float) -> str:
  """In the unit in which its bound is short: 4/255, but 0.5."""
  if math.isinf(value):
    return f">{wording.format_epsilon(bound)}"
  in_levels = len(wording.format_epsilon(bound)) < len(f"{bound:g}")
  return wording.format_distance(value, in_levels=in_levels)


def _pieces(
  head: Sequence[list[str]], columns: list[list[str]], width: int | None
) -> Iterable[list[list[str]]]:
  """The columns of a table, as many at once as fit beside its first ones."""
  room = math.inf if width is None else width - sum(map(_wide, head))
  piece: list[list[str]] = []
  for column in columns:
    if piece and sum(map(_wide, [*piece, column])) > room:
      yield piece
      piece = []
    piece.append(column)
  yield piece


def _listed(title: str, table: Sequence[Sequence[str]]) -> str:
  """A table that is written line by line; "" of one that has only its head."""
  columns = [list(column) for column in zip(*table, strict=True)]
  return "\n".join([title, *_aligned(columns)]) if len(table) > 1 else ""


def _wide(column: Sequence[str]) -> int:
  return max(map(len, column)) + 2


def _aligned(columns: Sequence[list[str]]) -> list[str]:
  widths = [max(map(len, column)) for column in columns]
  return [
    "  ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True))
    for row in zip(*columns, strict=True)
  ]
