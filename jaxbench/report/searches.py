"""The section of a report on smallest epsilons: attack by attack, and the strongest of them all."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxbench import metrics
from jaxbench.report import plots
from jaxbench.report.sections import ByCell, Classifier, Row, briefly_where, knowledge, of


class Search(NamedTuple):
  """Smallest epsilons of one attack, or of several."""

  attack: str
  norm: str
  epsilons: list[tuple[str, float]]  # Where the table quotes the accuracy.
  lines: list[tuple[Classifier, Row | None, list[float]]]  # Distribution, accuracies.
  plot: str  # SVG.
  knowledge: str | None  # What the attacker knows.


def search(
  cells: list[Row], by_cell: ByCell, classifiers: list[Classifier], identity: Row
) -> Search:
  """Of cells that bisect with one attack; `identity` is what was asked, of what models."""
  ids = {(cell["model"], cell["prompts"]): cell["id"] for cell in cells}
  found: dict[Classifier, np.ndarray] = {}
  for one in classifiers:
    cell = ids.get((one.model, one.prompts), "")
    if cell in by_cell:
      found[one] = metrics.smallest_epsilons(by_cell[cell], cell)
  attack = cells[0]["perturbation"].removeprefix("smallest(").removesuffix(")")
  names = {one: ids[one.model, one.prompts] for one in found}
  return _search(attack, cells, found, names, classifiers, identity, knowledge(cells))


def together(
  cells: list[Row], by_cell: ByCell, classifiers: list[Classifier], identity: Row
) -> list[Search]:
  """In each norm, the strongest of its attacks for each example; where there are several."""
  result = []
  for norm in dict.fromkeys(cell["norm"] for cell in cells):
    same = [cell for cell in cells if cell["norm"] == norm]
    attacks = list(dict.fromkeys(cell["perturbation"] for cell in same))
    if len(attacks) < 2:
      continue
    found: dict[Classifier, np.ndarray] = {}
    for one in classifiers:
      own = [by_cell[cell["id"]] for cell in of(one, same) if cell["id"] in by_cell]
      if len(own) == len(attacks) and len(epsilons := metrics.smallest_of_all(own)):
        found[one] = epsilons
    name = f"the strongest of {len(attacks)} attacks"
    result.append(_search(name, same, found, {}, classifiers, identity, None))
  return result


def _search(
  attack: str,
  cells: list[Row],
  found: Mapping[Classifier, np.ndarray],
  ids: Mapping[Classifier, str],
  classifiers: list[Classifier],
  identity: Row,
  known: str | None,
) -> Search:
  norm, largest = cells[0]["norm"], cells[0]["epsilon"]
  unit, scale = ("/255", 255) if norm == "linf" else ("", 1)
  quoted = sorted(identity["config"]["attacks"]["epsilons"])
  lines: list[tuple[Classifier, Row | None, list[float]]] = []
  for one in classifiers:
    if one not in found:
      lines.append((one, None, []))
      continue
    row = metrics.describe_smallest(found[one])
    deviation = np.mean(identity["models"][one.model]["config"]["std"])
    row |= {"normalised": row["median"] / deviation, "cell": ids.get(one)}
    lines.append((one, row, metrics.robust_accuracy(found[one], quoted).tolist()))
  curves = [
    plots.Steps(one.name, one.color, one.dash, scale * epsilons) for one, epsilons in found.items()
  ]
  axis = f"epsilon{briefly_where(cells)}, {norm}{unit and ', '}{unit}"
  plot = plots.robustness_curves(attack, axis, scale * largest, curves)
  names = [(f"{scale * epsilon:g}{unit}", epsilon) for epsilon in quoted]
  return Search(attack, norm, names, lines, plot, known)
