"""The first screen of a report: one line for each classifier, a figure for each question."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from jaxbench import metrics
from jaxbench.records import kinds
from jaxbench.report import plots
from jaxbench.report.classifiers import Classifier, Row
from jaxbench.report.sentence import sentence
from jaxbench.report.tradeoff import tradeoff

if TYPE_CHECKING:
  from jaxbench.report.data_set import DataSet
  from jaxbench.report.natural import Natural

Found = Mapping[Classifier, tuple[float, float | None, float | None]]  # Value, low, high.


class Column(NamedTuple):
  """A figure that all classifiers have."""

  key: str  # In `report.json`.
  title: str
  unit: str  # "share", "relative", "points" of accuracy, such that are "lost", or a norm.
  more_is_better: bool
  about: str  # What stands behind it.


class Value(NamedTuple):
  """One figure of one classifier, with its 95 % interval where there is one."""

  value: float
  low: float | None
  high: float | None
  best: bool  # Or its interval overlaps that of the best.
  shade: float | None  # In [0, 1], the better the more; None is not shaded.


class Line(NamedTuple):
  """A classifier."""

  classifier: Classifier
  values: list[Value | None]  # By column.


class First(NamedTuple):
  """What answers at a glance."""

  sentence: str
  columns: list[Column]
  lines: list[Line]
  plot: str  # SVG; "" with nothing to set accuracy against.


def first(
  run: Row,
  data: "Sequence[DataSet]",
  natural: "Natural | None",
  shifts: list[Row],
  summary: Sequence[Row],
  classifiers: list[Classifier],
  found_images: Found,
  of_texts: tuple[str, Found] | None,
  of_defences: tuple[str, str, Found] | None,
) -> First:
  """Gathers it from the sections.

  Args:
    run: run.json.
    data: sections of the data sets.
    natural: section of the natural shifts.
    shifts: rows of `metrics.summarize_shifts`.
    summary: rows of `metrics.summarize`.
    classifiers: of the run.
    found_images: recall at 1 of captions that look for images.
    of_texts: what an attack on texts leaves, and what stands behind that.
    of_defences: a title, what it is, and what all attackers leave where models are defended; in
      place of what attacks on the models themselves leave.
  """
  found = list(_columns(data, natural, shifts, summary))
  if found_images:
    about = "share of captions whose image is found first; the other way round is clean accuracy"
    column = Column("text_to_image", "text to image R@1", "share", True, about)
    found.insert(1, (column, found_images))
  if of_defences:
    title, about, left = of_defences
    column = Column("attacked", title, "share", True, about)
    found = [*((each, had) for each, had in found if each.key != column.key), (column, left)]
  if of_texts:
    about, left = of_texts
    found.append((Column("text_attacked", "texts attacked", "share", True, about), left))
  values = [_values(column, each) for column, each in found]
  lines = [Line(each, [column.get(each) for column in values]) for each in classifiers]
  columns = [column for column, _ in found]
  return First(sentence(run, summary), columns, lines, _plot(columns, lines))


def _columns(
  data: "Sequence[DataSet]",
  natural: "Natural | None",
  shifts: list[Row],
  summary: Sequence[Row],
) -> Iterator[tuple[Column, Found]]:
  """All figures that the run has, each of the first data set that has it."""
  several = len(data) > 1
  perturbed = {row["data"] for row in summary if kinds.of(row) != kinds.CLEAN}
  main = next((one for one in data if one.name in perturbed), data[0] if data else None)
  if main is None:
    return
  field = metrics.headline(main.metric)
  clean = {
    (row["model"], row["prompts"]): (row[field], row.get(f"{field}_low"), row.get(f"{field}_high"))
    for row in summary
    if row["data"] == main.name and kinds.of(row) == kinds.CLEAN
  }
  classifiers = {each.key: each for table in main.tables[:1] for each, _ in table.lines}
  where = f" ({plots.brief(main.name)})" if several else ""
  about = f"{main.metric or 'top-1'} accuracy on {main.examples} examples of {main.name}"
  title = "image to text R@1" if main.metric == metrics.RECALL else f"clean{where}"
  yield (
    Column("clean", title, "share", True, about),
    {classifiers[key]: share for key, share in clean.items() if key in classifiers},
  )
  if natural and natural.shifts:
    yield from _natural(natural, shifts)
  if (one := next((one for one in data if one.corrupted), None)) and one.corrupted:
    found = one.corrupted
    count = len(found.names)
    about = f"mean accuracy over {', '.join(found.names)} of {one.name}, all severities alike"
    title = "corruptions" if count > 1 else found.names[0]
    yield Column("corruptions", title, "share", True, about), found.overall
    figures = {each: errors.figures for each, errors, _ in found.lines}
    if errors := {each: known["mce"] for each, known in figures.items() if "mce" in known}:
      about = f"mean corruption error relative to {found.reference}; less is better"
      yield Column("mce", "mCE", "relative", False, about), errors
  if (one := next((one for one in data if one.attacked), None)) and one.attacked:
    attacks = one.attacked
    where = f"{one.name} at {attacks.norm} {attacks.epsilon}"
    about = f"accuracy on {where} that no attack breaks: {', '.join(attacks.attacks)}"
    title = f"attacked, {attacks.epsilon}"
    yield (
      Column("attacked", title, "share", True, about),
      {line.classifier: line.worst for line in attacks.lines if line.worst},
    )
  if one := next((one for one in data if one.universals), None):
    table = one.universals[0].table
    setting = table.settings[table.middle]
    about = f"accuracy on {one.name} under {table.perturbation} {setting}".strip()
    yield (
      Column("universal", f"universal{setting and ', '}{setting}", "share", True, about),
      {
        each: tuple(cell[name] for name in ("accuracy", "accuracy_low", "accuracy_high"))
        for each, cells in table.lines
        if (cell := cells[table.middle])
      },
    )
  if (one := next((one for one in data if one.searches), None)) and one.searches:
    search = one.searches[0]
    about = f"median of the smallest {search.norm} epsilons at which {search.attack} fooled"
    yield (
      Column("smallest_epsilon", "median smallest ε", search.norm, True, about),
      {
        each: (row["median"], row["median_low"], row["median_high"])
        for each, row, _ in search.lines
        if row
      },
    )
  if (one := next((one for one in data if one.texts), None)) and one.texts:
    text = one.texts[0]
    drops = {each: figures.drop for each, _, figures in text.lines if figures and figures.drop}
    about = f"points of accuracy lost to words on the images, {text.overlay}; less is better"
    yield (
      Column("typographic_drop", "lost to words", "lost", False, about),
      {each: (drop.difference, drop.low, drop.high) for each, drop in drops.items()},
    )


def _natural(natural: "Natural", shifts: list[Row]) -> Iterator[tuple[Column, Found]]:
  names = ", ".join(natural.shifts)
  means: dict[Classifier, metrics.Proportion] = {}
  for each, entries, mean in natural.lines:
    rows = [entry.row for entry in entries if entry and entry.row["data"] in natural.shifts]
    if mean is not None:
      ends = ("accuracy", "accuracy_low", "accuracy_high")
      means[each] = metrics.mean_share(
        [metrics.Proportion(*(row[end] for end in ends)) for row in rows]
      )
  count = len(natural.shifts)
  title = "natural shifts" if count > 1 else plots.brief(names)
  about = f"mean accuracy on {names}; intervals by square-and-add"
  yield Column("natural", title, "share", True, about), means
  known = [row for row in shifts if row["effective_robustness"] is not None]
  beyond: dict[Classifier, list[float]] = {}
  for each, row in itertools.product(means, known):
    if (row["model"], row["prompts"]) == each.key:
      beyond.setdefault(each, []).append(row["effective_robustness"])
  if beyond:
    shown = ", ".join(dict.fromkeys(row["shift"] for row in known))
    about = f"mean over {shown}: points beyond published models that are as accurate without it"
    yield (
      Column("effective_robustness", "effective robustness", "points", True, about),
      {each: (sum(points) / len(points), None, None) for each, points in beyond.items()},
    )


def _values(column: Column, found: Found) -> dict[Classifier, Value]:
  """Marks the best of a column, and whatever cannot be told from it."""
  if not found:
    return {}
  sign = 1 if column.more_is_better else -1
  _, best_low, best_high = _bracketed(max(found.values(), key=lambda each: sign * each[0]))
  values = {}
  for each, (value, low, high) in found.items():
    _, own_low, own_high = _bracketed((value, low, high))
    best = own_low <= best_high and own_high >= best_low
    values[each] = Value(value, low, high, best and len(found) > 1, _shade(column, value))
  return values


def _bracketed(
  estimate: tuple[float, float | None, float | None],
) -> tuple[float, float, float]:
  """Without an interval where there is none; open at an end that so few examples do not have."""
  value, low, high = estimate
  if low is None and high is None:
    return value, value, value
  return value, -float("inf") if low is None else low, float("inf") if high is None else high


def _shade(column: Column, value: float) -> float | None:
  """Of what has a worst and a best: shares, and points that are lost."""
  if column.unit == "share":
    return min(max(value, 0.0), 1.0)
  return min(max(1 - value, 0.0), 1.0) if column.key == "typographic_drop" else None


_AGAINST = ("attacked", "universal", "corruptions", "natural")  # The first that there is.


def _plot(columns: list[Column], lines: list[Line]) -> str:
  """Clean accuracy against the most telling other one."""
  places = {column.key: place for place, column in enumerate(columns)}
  against = next((key for key in _AGAINST if key in places), None)
  if against is None:
    return ""
  points = []
  for line in lines:
    one, other = line.values[0], line.values[places[against]]
    if one and other:
      ends = [(each.value, each.low or 0.0, each.high or 0.0) for each in (one, other)]
      look = line.classifier.number, line.classifier.color, line.classifier.mark
      points.append(plots.Point(*look, *ends))
  if not points:
    return ""
  labels = (f"{columns[0].title}, %", f"{columns[places[against]].title}, %")
  return tradeoff("clean against robust", labels, points)
