"""Curves and a heat map as inline SVG that takes its text colour from the page, light or dark."""

import contextlib
import functools
import html
import io
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy

_TEXT = "#010203"  # Replaced by currentColor; used by nothing else.
# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c")
_FINEST = 400  # Steps of a curve from end to end; finer ones are not seen.
_BRIGHT = 47  # Percent, from which black stands out of cividis more than white does.
_LONGEST = 26  # Letters of a name beside a heat map.
_LETTERS = 9  # Of a line, in an inch.
_FEW = 8  # Settings that are all named, however long.
_LARGEST = 1.4  # Pixels of a page for each point of a figure.
DASHES = ("-", "--", ":", "-.")
MARKS = ("o", "^", "D", "v")
WIDTHS = {"plot": (4.2, 3.0), "small": (2.7, 2.1)}  # Inches, of which 12 px are still legible.
_STYLE: Any = {
  "svg.fonttype": "none",
  "text.parse_math": False,  # Names may hold dollars.
  "svg.hashsalt": "jaxbench",
  "font.size": 11.5,
  **dict.fromkeys(("axes.titlesize", "figure.titlesize"), 11.5),
  "axes.spines.top": False,
  "axes.spines.right": False,
  "text.color": _TEXT,
  "axes.labelcolor": _TEXT,
  "axes.edgecolor": _TEXT,
  "xtick.color": _TEXT,
  "ytick.color": _TEXT,
}


class Curve(NamedTuple):
  """Accuracy of one classifier over the settings of one perturbation, in percent."""

  name: str
  color: str
  dash: str
  values: Sequence[float]
  low: Sequence[float]
  high: Sequence[float]
  choice: str = ""  # The group that it is shown with; "" is always shown.


def accuracy_curves(
  title: str, axis: str, settings: Sequence[str], curves: Sequence[Curve], size: str = "plot"
) -> str:
  """An SVG element: one line per classifier with its interval.

  Args:
    title: of the plot.
    axis: what the settings are.
    settings: labels of the horizontal axis, evenly spaced; the first is the clean image.
    curves: each with one value per setting.
    size: one of `WIDTHS`; a small one has no labels at its axes.
  """
  with _axes(title, axis, size) as (axes, svg):
    seen = np.unique(np.linspace(0, len(settings) - 1, _FINEST).round().astype(int))
    for curve in curves:
      values, low, high = (np.asarray(ends)[seen] for ends in (curve.values, curve.low, curve.high))
      style: Any = {"color": curve.color, "marker": "o", "markersize": 3, "gid": curve.choice}
      axes.plot(seen, values, curve.dash, **style)
      band: Any = {"color": curve.color, "alpha": 0.08, "lw": 0, "gid": curve.choice}
      axes.fill_between(seen, low, high, **band)
    axes.set_xticks(*_legible(settings, WIDTHS[size][0]))
    return svg()


def _legible(settings: Sequence[str], width: float) -> tuple[Sequence[int], Sequence[str]]:
  """Places and labels of those at an axis; of many, as many as fit side by side."""
  letters = sum(len(setting) + 1 for setting in settings)
  step = -(-letters // round(_LETTERS * width)) if len(settings) > _FEW else 1
  return range(len(settings))[::step], settings[::step]


class Steps(NamedTuple):
  """Accuracy of one classifier that falls by one example at a time."""

  name: str
  color: str
  dash: str
  smallest: np.ndarray  # [N], ascending: epsilons or queries; infinite where nothing fooled.
  choice: str = ""  # As of `Curve`.


def robustness_curves(title: str, axis: str, largest: float, curves: Sequence[Steps]) -> str:
  """An SVG element: accuracy over everything from 0 to `largest`, no grid in between."""
  with _axes(title, axis) as (axes, svg):
    for curve in curves:
      inside = curve.smallest[curve.smallest <= largest]
      inside = np.ceil(inside / largest * _FINEST) / _FINEST * largest  # A page holds many.
      inside, counts = np.unique(inside, return_counts=True)
      share = 100 * (1 - counts.cumsum() / len(curve.smallest))
      epsilons = np.concatenate([[0.0], inside, [largest]])
      values = np.concatenate([[100.0], share, share[-1:] if len(share) else [100.0]])
      style: Any = {"color": curve.color, "gid": curve.choice}
      axes.step(epsilons, values, curve.dash, where="post", **style)
    axes.set_xlim(0, largest)
    return svg()


class Line(NamedTuple):
  """What overlap adds to the accuracy of one classifier, over thresholds."""

  name: str
  color: str
  dash: str
  thresholds: np.ndarray  # [T].
  points: np.ndarray  # [T], of accuracy in percent; NaN where there is no number.
  choice: str = ""  # As of `Curve`.


def threshold_curves(title: str, threshold: float, lines: Sequence[Line]) -> str:
  """An SVG element: points of accuracy over thresholds, with a mark at the chosen one."""
  with _axes(title, "similarity from which an example overlaps") as (axes, svg):
    for line in lines:
      axes.plot(line.thresholds, line.points, line.dash, color=line.color, gid=line.choice)
    axes.axvline(threshold, color=_TEXT, lw=0.8, ls=":")
    axes.set(ylabel="all minus clean, points", ylim=(None, None))
    axes.autoscale(axis="y")
    return svg()


@contextlib.contextmanager
def figure_of(width: float, height: float) -> Iterator[Any]:
  """Empty and in the style of the page; inches."""
  import matplotlib.figure  # Slow to import.

  with matplotlib.rc_context(_STYLE):
    yield matplotlib.figure.Figure(figsize=(width, height), layout="constrained")


@contextlib.contextmanager
def _axes(title: str, axis: str, size: str = "plot") -> Iterator[tuple[Any, Callable[[], str]]]:
  """Axes for accuracies, all alike, and a function that gives the finished SVG element."""
  width, height = WIDTHS[size]
  with figure_of(width, height) as figure:
    axes = figure.add_subplot()
    axes.set(title=textwrap.fill(title, round(_LETTERS * width)), ylim=(-3, 103))
    axes.set_yticks(range(0, 101, 25))
    if size == "plot":
      axes.set(xlabel=axis, ylabel="accuracy, %")
    axes.grid(axis="y", alpha=0.25)
    yield axes, functools.partial(svg_of, figure, title)


class Point(NamedTuple):
  """A classifier without and under a shift: accuracies in [0, 1], each with its interval."""

  number: int  # Written beside it; of the model in the run.
  color: str
  mark: str  # Its shape.
  standard: tuple[float, float, float]  # Value, low, high.
  shifted: tuple[float, float, float]


class Trend(NamedTuple):
  """Published models and the line through them: accuracies in [0, 1]."""

  standard: np.ndarray  # [N], of the models.
  shifted: np.ndarray  # [N].
  grid: np.ndarray  # [G], ascending; where the line is drawn.
  line: np.ndarray  # [G].
  low: np.ndarray  # [G], ends of its band.
  high: np.ndarray  # [G].


_PERCENTS = (1, 2, 5, 10, 20, 50, 80, 90, 95, 98, 99.5)
_BETWEEN = (30, 40, 60, 70, 99)  # Where there is room.


def scatter(
  title: str, labels: tuple[str, str], points: Sequence[Point], trend: Trend | None
) -> str:
  """An SVG element: accuracy under a shift over accuracy without it, both axes logits.

  Args:
    title: of the plot.
    labels: of the axes.
    points: whose accuracies are above 0 and below 1.
    trend: drawn behind the points.
  """
  with figure_of(4.2, 3.8) as figure:
    axes = figure.add_subplot()
    everything = np.array([*(p.standard for p in points), *(p.shifted for p in points)])
    if trend is not None:
      axes.fill_between(_logit(trend.grid), _logit(trend.low), _logit(trend.high), **_BAND)
      axes.plot(_logit(trend.grid), _logit(trend.line), color="#8c8c8c", lw=1)
      axes.scatter(_logit(trend.standard), _logit(trend.shifted), s=6, color="#8c8c8c", lw=0)
      everything = np.append(everything, [trend.standard, trend.shifted])
    least, most = _logit(np.clip([everything.min(), everything.max()], 0.01, 0.995))
    ends = [least - 0.2, most + 0.2]
    axes.plot(ends, ends, ":", color="#8c8c8c", lw=1)
    for point in points:
      x, y = _logit(np.array(point.standard)), _logit(np.array(point.shifted))
      errors = {"xerr": np.abs(x[1:] - x[0])[:, None], "yerr": np.abs(y[1:] - y[0])[:, None]}
      axes.errorbar(x[0], y[0], **errors, fmt=point.mark, color=point.color, ms=5, elinewidth=0.8)
    wanted = _PERCENTS if ends[1] - ends[0] > 4 else sorted((*_PERCENTS, *_BETWEEN))
    ticks = [tick for tick in wanted if ends[0] <= _logit(tick / 100) <= ends[1]]
    for axis in (axes.xaxis, axes.yaxis):
      axis.set_ticks([_logit(tick / 100) for tick in ticks], [f"{tick:g}" for tick in ticks])
    axes.set(title=title, xlabel=labels[0], ylabel=labels[1], xlim=ends, ylim=ends)
    axes.grid(alpha=0.2)
    return svg_of(figure, title)


_BAND: Any = {"color": "#8c8c8c", "alpha": 0.25, "lw": 0}


def _logit(share: Any) -> Any:
  """Ends of intervals at 0 and 1 go to the rim."""
  return scipy.special.logit(np.clip(share, 1e-4, 1 - 1e-4))


class Reliability(NamedTuple):
  """Bins of one classifier that are not empty, in percent."""

  color: str
  dash: str
  confidence: np.ndarray  # [B], means.
  accuracy: np.ndarray  # [B].
  examples: np.ndarray  # [B].
  choice: str = ""  # As of `Curve`.


def reliability_diagram(title: str, curves: Sequence[Reliability], size: str = "small") -> str:
  """An SVG element: accuracy over confidence, the more examples the larger the dot."""
  with _axes(title, "confidence, %", size) as (axes, svg):
    axes.plot([0, 100], [0, 100], ":", color="#8c8c8c", lw=1)
    axes.set(xlabel="confidence, %", ylabel="accuracy, %")
    axes.set_xticks((0, 50, 100))
    for curve in curves:
      sizes = 4 + 50 * curve.examples / curve.examples.sum()
      style: Any = {"color": curve.color, "gid": curve.choice}
      axes.plot(curve.confidence, curve.accuracy, curve.dash, lw=0.8, **style)
      axes.scatter(curve.confidence, curve.accuracy, s=sizes, lw=0, **style)
    return svg()


def heat_map(
  title: str,
  lines: Sequence[str],
  columns: Sequence[str],
  shares: Sequence[Sequence[float | None]],
) -> str:
  """An SVG element: a matrix of percentages in colour, each with its number; None is left open.

  Args:
    title: of the plot.
    lines: names of the rows, from above: surrogates.
    columns: names of the columns: targets.
    shares: of each row, one value in [0, 100] for each column.
  """
  values = np.array([[np.nan if x is None else x for x in line] for line in shares])
  width, height = max(4.2, 2.4 + 0.9 * len(columns)), max(3.0, 1.4 + 0.5 * len(lines))
  with figure_of(width, height) as figure:
    figure.suptitle(title, size=12)
    axes = figure.add_subplot()
    # Cividis looks alike to all eyes, and its luminance rises from end to end.
    axes.pcolormesh(np.ma.masked_invalid(values), cmap="cividis", vmin=0, vmax=100)
    axes.set(xlabel="target; attack success in %", ylabel="surrogate")
    names = [brief(name) for name in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, names, rotation=30, ha="right")
    names = ["+\n".join(map(brief, name.split("+"))) for name in lines]
    axes.set_yticks(np.arange(len(lines)) + 0.5, names)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for (line, column), value in np.ndenumerate(values):
      text, color = f"{value:.1f}", "white" if value < _BRIGHT else "black"
      if np.isnan(value):
        text, color = "–", _TEXT
      axes.text(column + 0.5, line + 0.5, text, color=color, ha="center", va="center")
    return svg_of(figure, title)


def brief(name: str, longest: int = _LONGEST) -> str:
  """The end of a name that would leave no room for the plot: of a path, what tells it apart."""
  return name if len(name) <= longest else f"…{name[1 - longest :]}"


def svg_of(figure: Any, title: str) -> str:
  """Named for those who cannot see it; without what repeats in every plot of a page."""
  buffer = io.StringIO()
  metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
  figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
  text = buffer.getvalue()
  text = text[text.index("<svg") :].replace(_TEXT, "currentColor")
  text = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
  text = re.sub(r'<g id="(p\d+)"', r'<g class="p \1"', text)  # What a page shows one of at a time.
  text = re.sub(r'<g id="[^"]*"', "<g", text)  # Nothing refers to other groups.
  text = re.sub(r">\s+<", "><", re.sub(r" ?\n *", " ", text))
  text = re.sub(r"<[^>]*>", _rounded, text)
  label = html.escape(f"plot: {title}", quote=True)
  widest = f"max-width: {round(_LARGEST * 72 * figure.get_figwidth())}px"
  return text.replace("<svg ", f'<svg role="img" aria-label="{label}" style="{widest}" ', 1)


def _rounded(tag: re.Match) -> str:
  """With hundredths, and of lines tenths of a point, beyond which nothing is seen."""
  text = re.sub(r"(\.\d\d)\d+", r"\1", tag[0])
  if text.count(" L ") < 2:  # Ticks and marks are a few points wide.
    return text
  return re.sub(r' d="[^"]*"', lambda line: re.sub(r"(\.\d)\d+", r"\1", line[0]), text)
