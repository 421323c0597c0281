"""The section of a report on ImageNet-X: errors by what is unusual about an image."""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from jaxbench import metrics
from jaxbench.records import kinds
from jaxbench.report.classifiers import Classifier, Row


class Factors(NamedTuple):
  """Clean images of ImageNet's validation set."""

  names: list[tuple[str, int]]  # Of the factors, with the images of each.
  lines: list[tuple[Classifier, list[Row | None]]]  # Rows of `metrics.summarize_factors`.


def section(
  rows: pa.Table, known: Mapping[str, frozenset[str]], classifiers: list[Classifier]
) -> Factors | None:
  """That of a run; None where none of its images are known.

  Args:
    rows: of `records.read`.
    known: of `metrics.read_factors`.
    classifiers: of the run.
  """
  found = [
    row
    for row in metrics.summarize_factors(rows, known).to_pylist()
    if kinds.of(row) == kinds.CLEAN
  ]
  counts: dict[str, int] = {}
  for row in found:
    counts[row["factor"]] = max(counts.get(row["factor"], 0), row["examples"])
  names = [(factor, counts[factor]) for factor in metrics.FACTORS if factor in counts]
  by_key = {(row["model"], row["prompts"], row["factor"]): row for row in found}
  lines = [
    (classifier, [by_key.get((*classifier.key, factor)) for factor, _ in names])
    for classifier in classifiers
  ]
  return Factors(names, lines) if names else None
