"""The section of a report on what attacks cost: passes through a model for each example."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench.records import kinds
from jaxbench.report import plots
from jaxbench.report.classifiers import ByCell, Classifier, Row, cells_of

ATTACKS = (
  *(kinds.ATTACK, kinds.TARGETED, kinds.SMALLEST),
  *(kinds.TRANSFER, kinds.SMALLEST_TRANSFER),
)
_ARGUMENT = re.compile(r"(, )?\b\w+=[^,()]*(\([^()]*\))?")


class Cost(NamedTuple):
  """Passes of one attack on one example that is right without it, means over classifiers."""

  attack: str
  forwards: float
  backwards: float
  most: int  # Forward and backward passes together, of any example.
  steps: float | None  # Median until an example is fooled; None where none is.
  by_classifier: dict[Classifier, float]  # Forward and backward passes together.


class Costs(NamedTuple):
  """All attacks on one data set, of several epsilons each at the middle one."""

  lines: list[Cost]
  plot: str  # SVG.


def costs(cells: list[Row], by_cell: ByCell, classifiers: list[Classifier]) -> Costs | None:
  """None without an attack that has rows."""
  attacks: dict[str, list[Row]] = {}
  for cell in cells:
    if cell["kind"] in ATTACKS:
      attacks.setdefault(cell["perturbation"], []).append(cell)
  lines = []
  for name, same in attacks.items():
    settings = list(dict.fromkeys(cell["setting"] for cell in same))
    middle = settings[len(settings) // 2]
    alike = [cell for cell in same if cell["setting"] == middle]
    at = "" if alike[0]["kind"] in kinds.BISECTED else f", {middle}"
    if found := _cost(f"{name}{at}", alike, by_cell, classifiers):
      lines.append(found)
  return Costs(lines, _plot(lines)) if lines else None


def _cost(
  name: str, cells: list[Row], by_cell: ByCell, classifiers: list[Classifier]
) -> Cost | None:
  passes, totals, steps = [], {}, []
  for each in classifiers:
    for cell in cells_of(each, cells):
      rows = by_cell.get(cell["id"])
      numbers = None if rows is None else _attacked(rows)
      if numbers is None:
        continue
      passes.append(numbers[:2])
      totals[each] = float(numbers[:2].sum(axis=0).mean())
      steps.append(numbers[2][numbers[3] > 0])
  if not passes:
    return None
  forwards, backwards = np.mean([each.mean(axis=1) for each in passes], axis=0)
  most = max(int(each.sum(axis=0).max()) for each in passes)
  fooled = np.concatenate(steps)
  median = float(np.median(fooled)) if len(fooled) else None
  return Cost(name, float(forwards), float(backwards), most, median, totals)


def _attacked(rows: pa.Table) -> np.ndarray | None:
  """Forwards, backwards, steps and success [4, N] of examples that are right without the attack."""
  right = rows.filter(_right(rows))
  names = ("forwards", "backwards", "steps", "success")
  if not len(right):
    return None
  return np.stack([pc.fill_null(right[name].cast(pa.int32()), 0).to_numpy() for name in names])


def _right(rows: pa.Table) -> pa.Array:
  return pa.array(rows["clean_prediction"].to_numpy() == rows["label"].to_numpy())


def _plot(lines: Sequence[Cost]) -> str:
  """Passes on a logarithmic axis, an attack a line, each classifier a point."""
  title, names = "passes for each example", _bare([line.attack for line in lines])
  with plots.figure_of(4.2, 1.1 + 0.4 * len(lines)) as figure:
    axes = figure.add_subplot()
    everywhere = axes.get_yaxis_transform()
    for place, line in enumerate(lines):
      name = plots.brief(names[place], 40)
      axes.text(0, place - 0.3, name, transform=everywhere, in_layout=False)
      for each, total in line.by_classifier.items():
        axes.plot(total, place, each.mark, color=each.color, ms=5, alpha=0.8)
    axes.set(title=title, xscale="log", xlabel="forward and backward passes", yticks=[])
    ticks = _ticks([total for line in lines for total in line.by_classifier.values()])
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(len(lines) - 0.6, -0.9)
    axes.grid(axis="x", alpha=0.25)
    return plots.svg_of(figure, title)


def _bare(names: Sequence[str]) -> list[str]:
  """Without keyword arguments, where no two are then the same: the table has them in full."""
  bare = [_ARGUMENT.sub("", name).replace("()", "") for name in names]
  return [each if bare.count(each) == 1 else name for each, name in zip(bare, names, strict=True)]


def _ticks(totals: list[float]) -> list[int]:
  """Powers of ten around some numbers that are at least 1, and what is between few of them."""
  first, last = int(np.floor(np.log10(min(totals)))), int(np.ceil(np.log10(max(totals))))
  steps = (1, 2, 5) if last - first < 2 else (1,)
  ticks = [step * 10**power for power in range(first, last + 1) for step in steps]
  return [tick for tick in ticks if tick <= 10**last]
