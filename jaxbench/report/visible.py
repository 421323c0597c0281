"""The part of a report on how visible each perturbation is."""

from typing import NamedTuple

from jaxbench import metrics
from jaxbench.report.albums import SUITES
from jaxbench.report.classifiers import ByCell, Row, tables_of


class Visible(NamedTuple):
  """Perturbations that have the same settings, over all classifiers."""

  suite: str  # Of `albums.SUITES`.
  settings: list[str]
  lines: list[tuple[str, list[metrics.Visibility | None]]]


def visible(cells: list[Row], by_cell: ByCell) -> list[Visible]:
  """A table for each suite and list of settings; nothing of what was not measured."""
  grouped: dict[tuple[str, tuple[str, ...]], list[tuple[str, list[metrics.Visibility | None]]]] = {}
  for suite, members in SUITES.items():
    same = [cell for cell in cells if cell["kind"] in members]
    for name in dict.fromkeys(cell["perturbation"] for cell in same):
      settings: dict[str, list[Row]] = {}
      for cell in same:
        if cell["perturbation"] == name:
          settings.setdefault(cell["setting"], []).append(cell)
      found = [metrics.visibility(tables_of(alike, by_cell)) for alike in settings.values()]
      if any(found):
        grouped.setdefault((suite, tuple(settings)), []).append((name, found))
  return [Visible(suite, list(settings), lines) for (suite, settings), lines in grouped.items()]
