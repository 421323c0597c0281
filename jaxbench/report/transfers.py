"""The section of a report on transfer: attacks from every surrogate to every target."""

from typing import NamedTuple

from jaxbench.report import plots
from jaxbench.report.classifiers import Classifier, Row
from jaxbench.report.threat import briefly_where, knowledge


class Transfer(NamedTuple):
  """One attack at one epsilon: from every surrogate to every target."""

  attack: str
  setting: str  # Epsilon.
  # Of a surrogate: what the attacker knows with it, and one cell per classifier.
  lines: list[tuple[str, str | None, list[Row | None]]]
  plot: str  # SVG.


def transfers(
  cells: list[Row], summary: dict[str, Row], classifiers: list[Classifier]
) -> list[Transfer]:
  """A matrix for each attack and epsilon of some cells of transfer."""
  surrogates = {cell["surrogate"]: knowledge([cell]) for cell in cells}
  keys = ("attack", "setting", "surrogate", "model", "prompts")
  computed = {tuple(cell[key] for key in keys): summary.get(cell["id"]) for cell in cells}
  matrices = []
  for attack, setting in dict.fromkeys((cell["attack"], cell["setting"]) for cell in cells):
    lines = [
      (name, knows, [computed.get((attack, setting, name, *each.key)) for each in classifiers])
      for name, knows in surrogates.items()
    ]
    if not any(cell for *_, line in lines for cell in line):
      continue
    shares = [[_success(cell) for cell in line] for *_, line in lines]
    names = [each.name for each in classifiers]
    title = f"transfer of {attack}, {setting}{briefly_where(cells)}"
    plot = plots.heat_map(title, list(surrogates), names, shares)
    matrices.append(Transfer(attack, setting, lines, plot))
  return matrices


def _success(cell: Row | None) -> float | None:
  """Attack success in percent, if it has been computed and there was something to attack."""
  share = None if cell is None else cell["attack_success"]
  return None if share is None else 100 * share
