"""From records to numbers: accuracy with intervals, attack success, paired comparison."""

from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.bootstrap import Estimate, bootstrap
from jaxbench.metrics.masking import gradient_masking
from jaxbench.metrics.mce import (
  GROUPS,
  CorruptionErrors,
  alexnet,
  correct_by_cell,
  corruption_errors,
)
from jaxbench.metrics.overview import overview
from jaxbench.metrics.paired import Comparison, compare
from jaxbench.metrics.smallest import robust_accuracy, smallest_epsilons, summarize_smallest
from jaxbench.metrics.summary import is_correct, summarize
from jaxbench.metrics.typographic import Typographic, typographic

__all__ = [
  "GROUPS",
  "Comparison",
  "CorruptionErrors",
  "Estimate",
  "Proportion",
  "Typographic",
  "alexnet",
  "bootstrap",
  "compare",
  "correct_by_cell",
  "corruption_errors",
  "gradient_masking",
  "is_correct",
  "overview",
  "proportion",
  "robust_accuracy",
  "smallest_epsilons",
  "summarize",
  "summarize_smallest",
  "typographic",
]
