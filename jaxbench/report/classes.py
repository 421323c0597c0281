"""Accuracy of every class under every kind of perturbation, for each model."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from jaxbench import metrics
from jaxbench.report.classifiers import ByCell, Classifier, Row, cells_of, tables_of

_MOST = 20  # Classes of a table.


class Classes(NamedTuple):
  """One classifier."""

  classifier: Classifier
  suites: list[str]
  lines: list[tuple[int, list[float | None]]]  # Of a label, the accuracies; the worst first.
  total: int  # Classes, of which the worst are among the lines.


def by_class(
  groups: dict[str, list[Row]], by_cell: ByCell, classifiers: list[Classifier]
) -> list[Classes]:
  """Classes by suites, each model with its first prompts; classes without examples are not there.

  Args:
    groups: cells by the name of what is done to their images.
    by_cell: their rows.
    classifiers: of the run.
  """
  first = {each.model: each for each in reversed(classifiers)}
  found = []
  for each in reversed(first.values()):
    shares = {}
    for name, cells in groups.items():
      if tables := tables_of(cells_of(each, cells), by_cell):
        columns = ["label", "labels", "prediction", "target", "success"]
        shares[name] = _shares(pa.concat_tables([table.select(columns) for table in tables]))
    labels = sorted({label for by_label in shares.values() for label in by_label})
    if labels:
      lines = [(label, [by_label.get(label) for by_label in shares.values()]) for label in labels]
      lines.sort(key=lambda line: np.mean([share for share in line[1] if share is not None]))
      found.append(Classes(each, list(shares), lines[:_MOST], len(labels)))
  return found


def _shares(rows: pa.Table) -> dict[int, float]:
  """Accuracy by label."""
  labels, hits = rows["label"].to_numpy(), metrics.is_correct(rows).to_numpy()
  classes, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
  accuracy = np.bincount(members, weights=hits) / counts
  return dict(zip(classes.tolist(), accuracy.tolist(), strict=True))
