"""The section of a report on certified radii, and on what attacks leave of them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from jaxbench import metrics
from jaxbench.report import plots
from jaxbench.report.classifiers import Classifier, Row


class Section(NamedTuple):
  """What the page shows of certificates."""

  rows: list[metrics.Certified]
  radii: list[float]  # Columns: all that any row reaches.
  plots: list[str]  # SVGs, a data set each.


def section(rows: pa.Table, run: Row, classifiers: list[Classifier]) -> Section | None:
  """Gathers it; None without certificates.

  Args:
    rows: of `records.read_finished`.
    run: run.json.
    classifiers: of the run.
  """
  found = metrics.summarize_certified(rows, run["cells"])
  if not found:
    return None
  radii = sorted({radius for row in found for radius in row.accuracy})
  names = dict.fromkeys(row.data for row in found)
  drawn = [_plot(data, [row for row in found if row.data == data], classifiers) for data in names]
  return Section(found, radii, drawn)


def doubts(found: Section) -> Iterator[Row]:
  """What speaks against them."""
  for row in found.rows:
    for reason in metrics.certificate_doubts(row):
      yield {"what": f"{row.certificate} of {row.model} on {row.data}", "detail": reason}


def _plot(data: str, rows: list[metrics.Certified], classifiers: list[Classifier]) -> str:
  """Certified accuracy over the radius, and dotted what is left under attack."""
  looks = {each.key: each for each in classifiers}
  curves, largest = [], max(float(row.radius.max(initial=0)) for row in rows)
  for row in rows:
    look = looks[row.model, row.prompts]
    name = f"{look.name}, {row.certificate}"
    curves.append(plots.Steps(name, look.color, "-", np.sort(row.radius), look.choice))
    if row.attacked is not None:
      attacked = np.sort(np.where(row.attacked > row.largest, np.inf, row.attacked))
      curves.append(plots.Steps(f"{name}, attacked", look.color, ":", attacked, look.choice))
      largest = max(largest, row.largest)
  axis = "l2 radius in pixel units; dotted: under attack"
  return plots.robustness_curves(f"certified, {data}", axis, largest or 1.0, curves)
