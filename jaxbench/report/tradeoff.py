"""The scatter on the first screen: what is right without a perturbation, and what is left of it."""

from collections.abc import Sequence

import numpy as np

from jaxbench.report import plots

_FEWEST = 15.0  # Points of accuracy that an axis spans at the least.
_NEAR = 0.06  # Of an axis: numbers would stand on one another.
_GREY = "#8c8c8c"


def tradeoff(
  title: str, labels: tuple[str, str], points: Sequence[plots.Point], width: float = 3.2
) -> str:
  """An SVG element: each point with its intervals, and the Pareto front through the best ones.

  Args:
    title: of the plot.
    labels: of the axes, of which more is better.
    points: shares in [0, 1].
    width: in inches.
  """
  with plots.figure_of(width, 3.0) as figure:
    axes = figure.add_subplot()
    values = 100 * np.array([[point.standard[0], point.shifted[0]] for point in points])
    best = front(values)
    # What a best point beats lies left of it and below.
    left, bottom = np.array([-1, best[0, 1]]), np.array([best[-1, 0], -1])
    corners = np.stack([left, *best, bottom])
    axes.step(*corners.T, where="pre", color=_GREY, lw=1, ls="--")
    for point, (x, y) in zip(points, values, strict=True):
      ends = 100 * np.array([point.standard[1:], point.shifted[1:]])
      sizes = np.abs(ends - [[x], [y]])[:, :, None]
      style = {"fmt": point.mark, "color": point.color, "ms": 6, "elinewidth": 0.8}
      axes.errorbar(x, y, xerr=sizes[0], yerr=sizes[1], **style)
    axes.set(title=title, xlabel=labels[0], ylabel=labels[1])
    axes.set(xlim=span(values[:, 0]), ylim=(-3, 109))  # Numbers stand above.
    for place, numbers in _labels(points, values, (np.ptp(axes.get_xlim()), 112)).items():
      text = ", ".join(map(str, numbers))
      axes.annotate(text, place, (5, 4), textcoords="offset points")
    axes.grid(alpha=0.2)
    return plots.svg_of(figure, title)


def _labels(
  points: Sequence[plots.Point], values: np.ndarray, spans: tuple[float, float]
) -> dict[tuple[float, float], list[int]]:
  """Numbers by where they stand: those of points that nearly coincide together.

  Of a model with several prompts the first is enough.
  """
  labels: dict[tuple[float, float], list[int]] = {}
  told: set[int] = set()
  for point, (x, y) in zip(points, values.tolist(), strict=True):
    if point.number not in told:
      told.add(point.number)
      apart = {at: np.abs(np.subtract(at, (x, y)) / spans).max() for at in labels}
      near = min(apart, key=apart.__getitem__, default=(x, y))
      labels.setdefault(near if apart.get(near, 1) < _NEAR else (x, y), []).append(point.number)
  return labels


def front(values: np.ndarray) -> np.ndarray:
  """Those of points [N, 2] that no other one beats in both: ascending in the first, unique."""
  ordered = np.unique(values, axis=0)[::-1]  # Descending in the first, then in the second.
  before = np.concatenate([[-np.inf], np.maximum.accumulate(ordered[:, 1])[:-1]])
  return ordered[ordered[:, 1] > before][::-1]


def span(values: np.ndarray) -> tuple[float, float]:
  """Ends of an axis: around the values, wide enough that small differences look small."""
  margin = max(0.08 * np.ptp(values), (_FEWEST - np.ptp(values)) / 2, 2.0)
  return max(-3.0, values.min() - margin), min(101.0, values.max() + margin)
