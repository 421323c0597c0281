"""From records to numbers: accuracy with intervals, attack success, paired comparison."""

from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.overview import overview
from jaxbench.metrics.paired import Comparison, compare
from jaxbench.metrics.summary import is_correct, summarize

__all__ = [
  "Comparison",
  "Proportion",
  "compare",
  "is_correct",
  "overview",
  "proportion",
  "summarize",
]
