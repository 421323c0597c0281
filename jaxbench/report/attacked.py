"""The section of a report on all attacks together: what none of them has fooled."""

from typing import NamedTuple

import pyarrow as pa

from jaxbench import metrics
from jaxbench.records import kinds, wording
from jaxbench.report import plots
from jaxbench.report.classifiers import ByCell, Classifier, Row, cells_of, curve, tables_of
from jaxbench.report.threat import briefly_where


class Line(NamedTuple):
  """One classifier under each attack at the main epsilon, and under all of them."""

  classifier: Classifier
  worst: metrics.Proportion | None  # What withstands every attack; None: one is not computed.
  each: list[metrics.Proportion | None]
  strongest: str  # The attack that alone leaves least; "" of none.


class Attacked(NamedTuple):
  """Attacks on the classifiers themselves, in the norm that most of them have."""

  epsilon: str  # The main one, as people write it: the middle of those that were asked for.
  norm: str
  attacks: list[str]
  lines: list[Line]
  plot: str  # SVG: the worst case at every epsilon.


def attacked(
  clean: list[Row], cells: list[Row], by_cell: ByCell, classifiers: list[Classifier], run: Row
) -> Attacked | None:
  """All attacks on one data set, at one epsilon or bisected; None if there are none.

  Args:
    clean: cells of the data set as it is.
    cells: its cells of attacks on the classifiers themselves.
    by_cell: their rows.
    classifiers: of the run.
    run: run.json.
  """
  norms = [cell["norm"] for cell in cells]
  if not norms:
    return None
  norm = max(dict.fromkeys(norms), key=norms.count)
  same = [cell for cell in cells if cell["norm"] == norm]
  epsilons = sorted(run["identity"]["config"]["attacks"]["epsilons"])
  main = epsilons[len(epsilons) // 2]
  told = _by_epsilon(same, epsilons)
  names = list(dict.fromkeys(map(_name, told[main])))
  lines = [_line(each, names, cells_of(each, told[main]), by_cell, main) for each in classifiers]
  curves = []
  for each in classifiers:
    plain = tables_of(cells_of(each, clean), by_cell)
    shares = [
      _worst(cells_of(each, told[epsilon]), by_cell, epsilon, len(names)) for epsilon in epsilons
    ]
    if plain and all(shares):
      right = metrics.is_correct(plain[0]).to_numpy()
      found = [metrics.proportion(int(right.sum()), len(right)), *filter(None, shares)]
      curves.append(curve(each, found))
  ticks = [wording.format_epsilon(epsilon).removesuffix("/255") for epsilon in epsilons]
  unit = ", /255" if norm == "linf" else ""
  title = f"worst of {len(names)} attacks, {norm}" if len(names) > 1 else names[0]
  plot = plots.accuracy_curves(
    title, f"epsilon{briefly_where(same)}{unit}", ["clean", *ticks], curves
  )
  return Attacked(wording.format_epsilon(main), norm, names, lines, plot)


def _by_epsilon(cells: list[Row], epsilons: list[float]) -> dict[float, list[Row]]:
  """Those that tell of each: attacks at it, and searches up to it or further."""
  found: dict[float, list[Row]] = {epsilon: [] for epsilon in epsilons}
  for cell in cells:
    for epsilon in found if cell["kind"] == kinds.SMALLEST else [cell["epsilon"]]:
      if epsilon in found and epsilon <= cell["epsilon"]:
        found[epsilon].append(cell)
  return found


def _name(cell: Row) -> str:
  return str(cell["perturbation"])


def _worst(
  cells: list[Row], by_cell: ByCell, epsilon: float, count: int
) -> metrics.Proportion | None:
  """What withstands all of `count` attacks; None if one of them has no rows."""
  tables = tables_of(cells, by_cell)
  return _withstood(tables, epsilon) if len(tables) == count else None


def _line(
  classifier: Classifier, names: list[str], cells: list[Row], by_cell: ByCell, epsilon: float
) -> Line:
  found: dict[str, metrics.Proportion] = {}
  for cell in cells:
    if share := _worst([cell], by_cell, epsilon, 1):
      found[_name(cell)] = share
  worst = _worst(cells, by_cell, epsilon, len(names))
  strongest = min(found, key=lambda name: found[name].value, default="")
  return Line(classifier, worst, [found.get(name) for name in names], strongest)


def _withstood(tables: list[pa.Table], epsilon: float) -> metrics.Proportion | None:
  hits = metrics.withstood(tables, epsilon)
  return metrics.proportion(int(hits.sum()), len(hits)) if len(hits) else None
