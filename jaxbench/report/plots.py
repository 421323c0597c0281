"""Curves and a heat map as inline SVG that takes its text colour from the page, light or dark."""

import contextlib
import functools
import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

_TEXT = "#010203"  # Replaced by currentColor; used by nothing else.
# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c")
_LONGEST = 26  # Letters of a name beside a heat map.
DASHES = ("-", "--", ":", "-.")
_STYLE: Any = {
  "svg.fonttype": "none",
  "svg.hashsalt": "jaxbench",
  "font.size": 10,
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


def accuracy_curves(title: str, axis: str, settings: Sequence[str], curves: Sequence[Curve]) -> str:
  """An SVG element: one line per classifier with its interval.

  Args:
    title: of the plot.
    axis: what the settings are.
    settings: labels of the horizontal axis, evenly spaced; the first is the clean image.
    curves: each with one value per setting.
  """
  with _axes(title, axis) as (axes, svg):
    for curve in curves:
      positions = range(len(curve.values))
      axes.plot(positions, curve.values, curve.dash, color=curve.color, marker="o", markersize=3)
      axes.fill_between(positions, curve.low, curve.high, color=curve.color, alpha=0.08, lw=0)
    axes.set_xticks(range(len(settings)), settings)
    return svg()


class Steps(NamedTuple):
  """Accuracy of one classifier that falls by one example at a time."""

  name: str
  color: str
  dash: str
  smallest: np.ndarray  # [N], ascending: epsilons or queries; infinite where nothing fooled.


def robustness_curves(title: str, axis: str, largest: float, curves: Sequence[Steps]) -> str:
  """An SVG element: accuracy over everything from 0 to `largest`, no grid in between."""
  with _axes(title, axis) as (axes, svg):
    for curve in curves:
      inside = curve.smallest[curve.smallest <= largest]
      share = 100 * (1 - np.arange(1, len(inside) + 1) / len(curve.smallest))
      epsilons = np.concatenate([[0.0], inside, [largest]])
      values = np.concatenate([[100.0], share, share[-1:] if len(share) else [100.0]])
      axes.step(epsilons, values, curve.dash, where="post", color=curve.color)
    axes.set_xlim(0, largest)
    return svg()


class Line(NamedTuple):
  """What overlap adds to the accuracy of one classifier, over thresholds."""

  name: str
  color: str
  dash: str
  thresholds: np.ndarray  # [T].
  points: np.ndarray  # [T], of accuracy in percent; NaN where there is no number.


def threshold_curves(title: str, threshold: float, lines: Sequence[Line]) -> str:
  """An SVG element: points of accuracy over thresholds, with a mark at the chosen one."""
  with _axes(title, "similarity from which an example overlaps") as (axes, svg):
    for line in lines:
      axes.plot(line.thresholds, line.points, line.dash, color=line.color)
    axes.axvline(threshold, color=_TEXT, lw=0.8, ls=":")
    axes.set(ylabel="all minus clean, points", ylim=(None, None))
    axes.autoscale(axis="y")
    return svg()


@contextlib.contextmanager
def _axes(title: str, axis: str) -> Iterator[tuple[Any, Callable[[], str]]]:
  """Axes for accuracies, and a function that gives the finished SVG element."""
  with matplotlib.rc_context(_STYLE):
    figure = Figure(figsize=(4.2, 3.0), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=textwrap.fill(title, 36), xlabel=axis, ylabel="accuracy, %", ylim=(-3, 103))
    axes.grid(axis="y", alpha=0.25)
    yield axes, functools.partial(_svg, figure)


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
  with matplotlib.rc_context(_STYLE):
    size = (max(4.2, 2.4 + 0.9 * len(columns)), max(3.0, 1.4 + 0.5 * len(lines)))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, size=12)
    axes = figure.add_subplot()
    # Cividis looks alike to all eyes, and its luminance rises from end to end.
    axes.pcolormesh(np.ma.masked_invalid(values), cmap="cividis", vmin=0, vmax=100)
    axes.set(xlabel="target; attack success in %", ylabel="surrogate")
    names = [_brief(name) for name in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, names, rotation=30, ha="right")
    names = ["+\n".join(map(_brief, name.split("+"))) for name in lines]
    axes.set_yticks(np.arange(len(lines)) + 0.5, names)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for (line, column), value in np.ndenumerate(values):
      text, color = f"{value:.1f}", "white" if value < 50 else "black"
      if np.isnan(value):
        text, color = "–", _TEXT
      axes.text(column + 0.5, line + 0.5, text, color=color, ha="center", va="center")
    return _svg(figure)


def _brief(name: str) -> str:
  """The end of a name that would leave no room for the plot: of a path, what tells it apart."""
  return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def _svg(figure: Figure) -> str:
  buffer = io.StringIO()
  figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
  text = buffer.getvalue()
  return text[text.index("<svg") :].replace(_TEXT, "currentColor")
