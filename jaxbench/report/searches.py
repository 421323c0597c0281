"""The section of a report on smallest epsilons: attack by attack, and the strongest of them all."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxbench import metrics
from jaxbench.report import plots
from jaxbench.report.classifiers import ByCell, Classifier, Row, cells_of, ids, tables_of
from jaxbench.report.threat import briefly_where, knowledge


class Search(NamedTuple):
  """Smallest epsilons of one attack, or of several."""

  attack: str
  norm: str
  epsilons: list[tuple[str, float]]  # Where the table quotes the accuracy.
  lines: list[tuple[Classifier, Row | None, list[float]]]  # Distribution, accuracies.
  plot: str  # SVG.
  knowledge: str | None  # What the attacker knows.


def searches(
  cells: list[Row], by_cell: ByCell, classifiers: list[Classifier], identity: Row
) -> list[Search]:
  """All searches of a data set that have begun, those of several attacks first.

  Args:
    cells: that bisect.
    by_cell: their rows.
    classifiers: of the run.
    identity: what was asked, of what models.
  """
  groups = itertools.groupby(cells, key=lambda cell: cell["perturbation"])
  single = [_alone(list(group), by_cell, classifiers, identity) for _, group in groups]
  together = _together(cells, by_cell, classifiers, identity)
  return [each for each in (*together, *single) if any(row for _, row, _ in each.lines)]


def _alone(
  cells: list[Row], by_cell: ByCell, classifiers: list[Classifier], identity: Row
) -> Search:
  """The search of one attack."""
  names = ids(cells)
  cell_ids = {each: names[each.key] for each in classifiers if names.get(each.key, "") in by_cell}
  smallest = {
    each: metrics.smallest_epsilons(by_cell[cell], cell) for each, cell in cell_ids.items()
  }
  attack = cells[0]["perturbation"].removeprefix("smallest(").removesuffix(")")
  return _search(attack, cells, smallest, cell_ids, classifiers, identity, knowledge(cells))


def _together(
  cells: list[Row], by_cell: ByCell, classifiers: list[Classifier], identity: Row
) -> list[Search]:
  """The strongest attack for each example, in each norm that has several."""
  strongest = []
  for norm in dict.fromkeys(cell["norm"] for cell in cells):
    same = [cell for cell in cells if cell["norm"] == norm]
    attacks = list(dict.fromkeys(cell["perturbation"] for cell in same))
    if len(attacks) < 2:
      continue
    smallest: dict[Classifier, np.ndarray] = {}
    for each in classifiers:
      tables = tables_of(cells_of(each, same), by_cell)
      if len(tables) == len(attacks) and len(epsilons := metrics.smallest_of_all(tables)):
        smallest[each] = epsilons
    name = f"the strongest of {len(attacks)} attacks"
    strongest.append(_search(name, same, smallest, {}, classifiers, identity, None))
  return strongest


def _search(
  attack: str,
  cells: list[Row],
  smallest: Mapping[Classifier, np.ndarray],
  cell_ids: Mapping[Classifier, str],
  classifiers: list[Classifier],
  identity: Row,
  knowledge: str | None,
) -> Search:
  """The table and the plot of smallest epsilons, by classifier.

  Args:
    attack: its name.
    cells: that were bisected.
    smallest: epsilons [N], ascending, of the classifiers that have some.
    cell_ids: of those, the cells that epsilons are from, where each has one.
    classifiers: of the run.
    identity: what was asked, of what models.
    knowledge: what the attacker knows.
  """
  norm, largest = cells[0]["norm"], cells[0]["epsilon"]
  unit, scale = ("/255", 255) if norm == "linf" else ("", 1)
  quoted = sorted(identity["config"]["attacks"]["epsilons"])
  lines: list[tuple[Classifier, Row | None, list[float]]] = []
  for each in classifiers:
    if each not in smallest:
      lines.append((each, None, []))
      continue
    row = metrics.describe_smallest(smallest[each])
    deviation = np.mean(identity["models"][each.model]["config"]["std"])
    row |= {"normalised": row["median"] / deviation, "cell": cell_ids.get(each)}
    lines.append((each, row, metrics.robust_accuracy(smallest[each], quoted).tolist()))
  curves = [
    plots.Steps(each.name, each.color, each.dash, scale * epsilons, each.choice)
    for each, epsilons in smallest.items()
  ]
  axis = f"epsilon{briefly_where(cells)}, {norm}{unit and ', '}{unit}"
  plot = plots.robustness_curves(attack, axis, scale * largest, curves)
  names = [(f"{scale * epsilon:g}{unit}", epsilon) for epsilon in quoted]
  return Search(attack, norm, names, lines, plot, knowledge)
