"""The table that a run prints when it ends."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from jaxbench.metrics.averages import Average
from jaxbench.metrics.headline import TOP_1, headline
from jaxbench.records import kinds, wording

# By kind, which figure of a cell is shown instead of the accuracy.
_SHOWN = {kinds.SEQUENCE: "flips"} | dict.fromkeys(kinds.BISECTED, "median_epsilon")


def overview(summary: pa.Table, metric: Mapping[str, str] | None = None) -> str:
  """Accuracy or what else a set is reported by, in percent, a line per model and prompt set.

  Corruptions are averaged over their severities; attacks stand at the middle one of their epsilons;
  of smallest epsilons there is the median, of sequences of frames the share of flips.

  Args:
    summary: of `summarize`.
    metric: of each data set, as `run.json` names it; of a set that is not here it is top-1.
  """
  metric = metric or {}
  rows = summary.to_pylist()
  lines: dict[tuple[str, ...], dict[str, str]] = {
    (row["data"], row["model"], row["prompts"] or "-"): {} for row in rows
  }
  for title, cells in _columns(rows).items():
    for line, values in lines.items():
      shown = [
        cell for cell in cells if (cell["data"], cell["model"], cell["prompts"] or "-") == line
      ]
      values[title] = _value(shown, metric.get(line[0])) if shown else "absent"
  titles = list(_columns(rows))
  table = [["data", "model", "prompts", *titles]]
  for (data, *names), values in sorted(lines.items()):
    other = metric.get(data) or TOP_1
    shown_data = data if other == TOP_1 else f"{data} ({other})"
    table.append([shown_data, *names, *(values[title] for title in titles)])
  return _aligned(table)


def overview_shifts(shifts: pa.Table) -> str:
  """A line per shift and classifier of `summarize_shifts`, in percent; "" if there are none."""
  names = ("standard", "accuracy", "expected", "effective_robustness")
  table = [["shift", "model", "prompts", "standard", "accuracy", "expected", "effective"]]
  for row in shifts.to_pylist():
    values = ["-" if row[name] is None else f"{100 * row[name]:.1f}" for name in names]
    table.append([row["shift"], row["model"], row["prompts"] or "-", *values])
  return _aligned(table) if len(table) > 1 else ""


def overview_averages(averages: Iterable[Average]) -> str:
  """A line per average over data sets, in percent; "" without any."""
  table = [["average of", "sets", "model", "prompts", "under", "epsilon", "average"]]
  for found in averages:
    epsilon = "-" if found.epsilon is None else wording.format_epsilon(found.epsilon)
    under = found.perturbation or "each set's attack"
    names = [found.suite, str(len(found.by_set)), found.model, found.prompts or "-", under, epsilon]
    table.append([*names, f"{100 * found.value:.1f}"])
  return _aligned(table) if len(table) > 1 else ""


def overview_outliers(outliers: pa.Table) -> str:
  """A line per set, classifier and score of `summarize_outliers`, in percent; "" without any."""
  names = ("auroc", "fpr95", "aupr")
  table = [["outliers", "model", "prompts", "score", "AUROC", "FPR95", "AUPR"]]
  for row in outliers.to_pylist():
    values = [f"{100 * row[name]:.1f}" for name in names]
    table.append([row["data"], row["model"], row["prompts"] or "-", row["score"], *values])
  return _aligned(table) if len(table) > 1 else ""


def _value(cells: list[dict], metric: str | None) -> str:
  """The figure of some cells of one kind: a median, or a mean in percent."""
  shown = _SHOWN.get(kinds.of(cells[0]), headline(metric))
  if shown == "median_epsilon":
    return f"{cells[0][shown]:.4f}"
  return f"{100 * sum(cell[shown] for cell in cells) / len(cells):.1f}"


def _columns(rows: Iterable[dict]) -> dict[str, list[dict]]:
  """Cells by column title: clean, corruptions, attacks."""
  columns: dict[str, list[dict]] = {"clean": []}
  for row in sorted(rows, key=lambda row: (row["epsilon"] is not None, row["perturbation"])):
    columns.setdefault(row["perturbation"], []).append(row)
  titled = {}
  for name, cells in columns.items():
    if cells and kinds.of(cells[0]) in (kinds.ATTACK, kinds.TRANSFER):
      epsilons = sorted({cell["epsilon"] for cell in cells})
      middle = epsilons[len(epsilons) // 2]
      cells = [cell for cell in cells if cell["epsilon"] == middle]
      name = f"{name} {255 * middle:g}/255"
    titled[name] = cells
  return titled


def _aligned(table: list[list[str]]) -> str:
  widths = [max(map(len, column)) for column in zip(*table, strict=True)]
  lines = [
    "  ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True)) for row in table
  ]
  return "\n".join(lines)
