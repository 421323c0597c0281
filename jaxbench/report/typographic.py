"""The section of a report on images with words on them."""

from typing import NamedTuple

from jaxbench import metrics
from jaxbench.report import plots
from jaxbench.report.classifiers import ByCell, Classifier, Row, ids
from jaxbench.report.threat import knowledge
from jaxbench.report.tradeoff import tradeoff


class Text(NamedTuple):
  """Words on images, written in one way."""

  overlay: str
  lines: list[tuple[Classifier, str, metrics.Typographic | None]]  # With the cell's id.
  plot: str  # SVG: accuracy with the words over accuracy without them.
  knowledge: str | None  # What the attacker knows.


def text(cells: list[Row], by_cell: ByCell, classifiers: list[Classifier]) -> Text:
  """The table of cells with the same words on their images."""
  names = ids(cells)
  lines: list[tuple[Classifier, str, metrics.Typographic | None]] = []
  for classifier in classifiers:
    cell = names.get(classifier.key, "")
    figures = None
    if rows := by_cell.get(cell):
      columns = (rows[name] for name in ("label", "target", "prediction", "clean_prediction"))
      figures = metrics.typographic(*columns)
    lines.append((classifier, cell, figures))
  points = [
    plots.Point(each.number, each.color, each.mark, figures.clean_accuracy, figures.accuracy)
    for each, _, figures in lines
    if figures and figures.clean_accuracy
  ]
  labels = "accuracy without words, %", "accuracy with words, %"
  plot = tradeoff("what words cost", labels, points, 4.2) if points else ""
  return Text(cells[0]["perturbation"], lines, plot, knowledge(cells))
