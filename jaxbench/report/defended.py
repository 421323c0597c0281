"""The section of a report on test-time defences: what each is worth, and what it costs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from jaxbench import metrics
from jaxbench.report import plots
from jaxbench.report.classifiers import Classifier, Row
from jaxbench.report.first import Found
from jaxbench.report.tradeoff import span


class Section(NamedTuple):
  """What the page shows of defended models."""

  rows: list[metrics.Defended]
  efforts: list[metrics.Effort]
  plots: list[str]  # SVGs, one for each data set, prompt set and epsilon.


def section(rows: pa.Table, run: Row, classifiers: list[Classifier]) -> Section | None:
  """Gathers it; None where nothing is defended beside its base.

  Args:
    rows: of `records.read_finished`.
    run: run.json.
    classifiers: of the run.
  """
  found = metrics.summarize_defended(rows, run["cells"])
  if not found:
    return None
  efforts = metrics.summarize_effort(rows, run["cells"])
  return Section(found, efforts, list(_plots(found, classifiers)))


def left(found: Section | None, classifiers: list[Classifier]) -> tuple[str, str, Found] | None:
  """What all attackers together leave, of the defended and of their bases, for the first screen.

  At the middle epsilon, on the first data set: a title, what it is, and the shares. An attack
  through a defence is one of transfer, so that those on a model itself tell too little of it.
  """
  if found is None:
    return None
  some = [row for row in found.rows if row.data == found.rows[0].data]
  epsilons = sorted({row.epsilon for row in some})
  some = [row for row in some if row.epsilon == epsilons[len(epsilons) // 2]]
  looks, setting = {each.key: each for each in classifiers}, some[0].setting
  shares = {looks[row.base, row.prompts]: _bounded(row.base_worst, row.examples) for row in some}
  shares |= {looks[row.model, row.prompts]: _bounded(row.worst, row.examples) for row in some}
  about = f"accuracy on {some[0].data} at {setting} under the worst of all attackers on each image"
  return f"all attackers, {setting}", about, shares


def _bounded(share: float, examples: int) -> tuple[float, float, float]:
  """With its interval; of a share that is a mean over evaluations, that of the nearest count."""
  _, low, high = metrics.proportion(round(share * examples), examples)
  return share, low, high


def doubts(found: Section, run: Row) -> Iterator[Row]:
  """What speaks against the figures of defended models."""
  for row in found.rows:
    classes = len(run["data"][row.data]["class_names"])
    for reason in metrics.defence_doubts(row, classes):
      yield {"what": f"{row.model} on {row.data}, {row.setting}", "detail": reason}
  for effort in found.efforts:
    for reason in metrics.effort_doubts(effort):
      yield {"what": f"{effort.model} on {effort.data}, {effort.setting}", "detail": reason}
  searched = run["identity"]["config"]["attacks"].get("search_dtype", "float32")
  if searched != "float32":
    yield {
      "what": "test-time defences",
      "detail": f"attacks on them were searched in {searched}, where gradients through a defence "
      "may vanish that float32 has: repeat them with --config.attacks.search_dtype=float32",
    }


def _plots(found: list[metrics.Defended], classifiers: list[Classifier]) -> Iterator[str]:
  looks = {each.key: each for each in classifiers}
  for data, prompts, setting in dict.fromkeys(
    (row.data, row.prompts, row.setting) for row in found
  ):
    some = [
      row for row in found if (row.data, row.prompts, row.setting) == (data, prompts, setting)
    ]
    moves = [
      _Move(
        (row.base_clean, row.base_worst),
        (row.clean, row.worst),
        looks[row.base, prompts],
        looks[row.model, prompts],
      )
      for row in some
      if row.clean is not None and row.base_clean is not None
    ]
    if moves:
      where = ", ".join(filter(None, (data, prompts, setting)))
      yield _arrows(where, moves)


class _Move(NamedTuple):
  """From a base to itself within a defence: shares clean, and under the worst of all attacks."""

  start: tuple[float, float]
  end: tuple[float, float]
  base: Classifier
  defended: Classifier


def _arrows(title: str, moves: list[_Move]) -> str:
  """An SVG element: an arrow from each base to each of its defences."""
  with plots.figure_of(3.6, 3.2) as figure:
    axes = figure.add_subplot()
    told: set[int] = set()
    for move in moves:
      start, end = ([100 * share for share in ends] for ends in (move.start, move.end))
      arrow = {"arrowstyle": "->", "color": move.defended.color, "shrinkA": 4, "shrinkB": 4}
      axes.annotate("", end, start, arrowprops=arrow)
      for place, who, filled in ((start, move.base, False), (end, move.defended, True)):
        face = who.color if filled else "none"
        axes.plot(*place, who.mark, color=who.color, mfc=face, ms=6)
        if who.number not in told:
          axes.annotate(str(who.number), place, (5, 4), textcoords="offset points")
        told.add(who.number)
    axes.set(title=title, xlabel="clean, %", ylabel="worst of all attacks, %")
    values = 100 * np.array([ends for move in moves for ends in (move.start, move.end)])
    axes.set(xlim=span(values[:, 0]), ylim=span(values[:, 1]))
    axes.grid(alpha=0.2)
    return plots.svg_of(figure, title)
