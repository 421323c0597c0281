"""The section of a report on natural shifts: all data sets in one table, and the scatter plots."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import scipy

from jaxbench import metrics
from jaxbench.metrics import published
from jaxbench.records import kinds
from jaxbench.report import plots, protocols
from jaxbench.report.classifiers import Classifier, Row

_FEWEST = 3  # Models: a line through two passes through both, whatever they are.


class Entry(NamedTuple):
  """A classifier on one data set."""

  row: Row  # Of `metrics.summarize`.
  reference: protocols.Beside | None


class Natural(NamedTuple):
  """All data sets of a run as they are."""

  columns: list[str]  # Data sets.
  shifts: list[str]  # Those of them that the mean is over.
  lines: list[tuple[Classifier, list[Entry | None], float | None]]  # With the mean.
  plots: list[str]  # SVGs: effective robustness, a shift each.
  notes: list[str]  # Of shifts without published models: what their line is, or why there is none.
  sources: list[str]  # Of the published numbers.
  unlike: list[str]  # What differs from how they were measured.


def natural(
  summary: list[Row],
  shifts: list[Row],
  classifiers: list[Classifier],
  names: list[str],
  run: Row,
) -> Natural | None:
  """All data sets as they are; None for a single one.

  Args:
    summary: rows of `metrics.summarize`.
    shifts: rows of `metrics.summarize_shifts`.
    classifiers: of the run.
    names: of its data sets.
    run: run.json.
  """
  clean = {
    (row["data"], row["model"], row["prompts"]): row
    for row in summary
    if kinds.of(row) == kinds.CLEAN
  }
  columns = [name for name in names if any(name == data for data, *_ in clean)]
  if len(columns) < 2:
    return None
  shifted = {shift.data for shift in metrics.SHIFTS.values()}
  averaged = [name for name in columns if name in shifted]
  lines = []
  cells = {cell["id"]: cell for cell in run["cells"]}
  for classifier in classifiers:
    rows = [clean.get((name, *classifier.key)) for name in columns]
    entries = [_entry(row, classifier, run, cells) for row in rows]
    shifted_entries = [
      entry for name, entry in zip(columns, entries, strict=True) if name in averaged
    ]
    accuracies = [entry.row["accuracy"] for entry in shifted_entries if entry]
    complete = accuracies and len(accuracies) == len(shifted_entries)
    lines.append((classifier, entries, float(np.mean(accuracies)) if complete else None))
  references = [
    entry.reference for _, entries, _ in lines for entry in entries if entry and entry.reference
  ]
  sources = list(dict.fromkeys(reference.source for reference in references))
  drawn, notes = _scatters(shifts, clean, classifiers)
  return Natural(columns, averaged, lines, drawn, notes, sources, protocols.notes(references))


def _entry(
  row: Row | None, classifier: Classifier, run: Row, cells: Mapping[str, Row]
) -> Entry | None:
  if row is None:
    return None
  reference = published.clean(classifier.model, row["data"])
  if reference is None:
    return Entry(row, None)
  differs = protocols.differences(reference.protocol, run, cells[row["cell"]], row["examples"])
  return Entry(row, protocols.beside(reference, differs))


def unlike(row: Row, summary: Iterable[Row], run: Row) -> list[str]:
  """What of a row of `metrics.summarize_shifts` is not as of the models that its line is through.

  Args:
    row: with a shift and a classifier.
    summary: rows of `metrics.summarize`.
    run: run.json.
  """
  if row["expected"] is None:
    return []
  shift = metrics.SHIFTS[row["shift"]]
  differs: list[str] = []
  for name in dict.fromkeys((shift.within, shift.data)):
    keys = (name, row["model"], row["prompts"], kinds.CLEAN)
    (clean,) = [
      line
      for line in summary
      if (line["data"], line["model"], line["prompts"], kinds.of(line)) == keys
    ]
    protocol = published.standard_models(name)
    differs += [
      f"{name}: {what}"
      for what in (*protocols.sample(protocol, run, name, clean["examples"]), *protocol.never)
    ]
  return differs


def unlike_models(shifts: Iterable[Row], summary: Iterable[Row], run: Row) -> str:
  """What of a run is not as of the published models that expected accuracies come from; or "".

  Args:
    shifts: rows of `metrics.summarize_shifts`.
    summary: rows of `metrics.summarize`.
    run: run.json.
  """
  return "; ".join(dict.fromkeys(what for row in shifts for what in unlike(row, summary, run)))


def _scatters(
  shifts: list[Row], clean: Mapping[tuple, Row], classifiers: list[Classifier]
) -> tuple[list[str], list[str]]:
  """One for each shift, and what is to say of their lines."""
  drawn, notes = [], []
  by_key = {classifier.key: classifier for classifier in classifiers}
  for name in dict.fromkeys(row["shift"] for row in shifts):
    shift = metrics.SHIFTS[name]
    points, supervised = [], []
    for row in (row for row in shifts if row["shift"] == name):
      classifier = by_key[row["model"], row["prompts"]]
      standard = clean[shift.within, *classifier.key]
      shifted = clean[shift.data, *classifier.key]
      ends = "pm_accuracy" if shift.within == shift.data else "accuracy"
      axes = _drawn(standard, "accuracy"), _drawn(shifted, ends)
      points.append(plots.Point(classifier.number, classifier.color, classifier.mark, *axes))
      if classifier.supervised:
        supervised.append((row["standard"], row["accuracy"]))
    trend = _published(name)
    if trend is None:
      trend, note = _through(name, supervised)
      notes.append(note)
    labels = (f"accuracy on {shift.within}, %", f"accuracy on {name}, %")
    drawn.append(plots.scatter(name, labels, points, trend))
  return drawn, notes


def _through(name: str, models: list[tuple[float, float]]) -> tuple[plots.Trend | None, str]:
  """The line through a run's own supervised models, and what is to say of it."""
  x, y = np.array(models).reshape(-1, 2).T
  kept = (x > 0) & (x < 1) & (y > 0) & (y < 1)
  x, y = x[kept], y[kept]
  if len(np.unique(x)) < _FEWEST:
    return None, (
      f"{name} has no line: nobody has published models under it, and one through this run's "
      f"own takes {_FEWEST} supervised models of different accuracy, neither 0 nor 100 %, "
      f"of which it has {len(np.unique(x))}"
    )
  line = metrics.fit(x, y)
  start, end = scipy.special.logit([x.min(), x.max()])
  grid = scipy.special.expit(np.linspace(start, end, 40))
  band = metrics.fit_band(x, y, grid)
  note = (
    f"{name}: nobody has published models under it; the line goes through this run's "
    f"{line.models} supervised ones (R² {line.r_squared:.2f}), with its 95 % band by Student's t"
  )
  return plots.Trend(x, y, grid, line.expected(grid), *band), note


def _drawn(row: Row, name: str) -> tuple[float, float, float]:
  """A share and its interval; what is always or never right stands half an example inside."""
  rim = 0.5 / row["examples"]
  value, low, high = (row[name + end] for end in ("", "_low", "_high"))
  return min(max(value, rim), 1 - rim), low, high


def _published(name: str) -> plots.Trend | None:
  """The published models of a shift, with their line and its band; None where there are none."""
  if not metrics.SHIFTS[name].standard:
    return None
  x, y = metrics.standard_models(name)
  broken = metrics.breaking_point(name)
  ends = [0.4, 0.995] if broken is None else [0.4, broken - 1e-6, broken + 1e-6, 0.995]
  grid, lines, lows, highs = [], [], [], []
  for start, end in zip(ends[::2], ends[1::2], strict=True):
    some = scipy.special.expit(
      np.linspace(scipy.special.logit(start), scipy.special.logit(end), 40)
    )
    low, high = metrics.baseline_band(name, some)
    grid.append(some)
    lines.append(metrics.baseline(name, float(some[0])).expected(some))
    lows.append(low)
    highs.append(high)
  curves = [np.concatenate(each) for each in (grid, lines, lows, highs)]
  return plots.Trend(x, y, *curves)
