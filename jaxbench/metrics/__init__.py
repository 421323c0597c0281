"""From records to numbers: accuracy with intervals, attack success, paired comparison."""

from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.bootstrap import Estimate, bootstrap
from jaxbench.metrics.flip_reference import read_flip_reference
from jaxbench.metrics.flips import (
  SEQUENCES,
  Change,
  Flips,
  Stability,
  change,
  changes_by_sequence,
  flip_rates,
  sequence_name,
  stability,
)
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
  "SEQUENCES",
  "Change",
  "Comparison",
  "CorruptionErrors",
  "Estimate",
  "Flips",
  "Proportion",
  "Stability",
  "Typographic",
  "alexnet",
  "bootstrap",
  "change",
  "changes_by_sequence",
  "compare",
  "correct_by_cell",
  "corruption_errors",
  "flip_rates",
  "gradient_masking",
  "is_correct",
  "overview",
  "proportion",
  "read_flip_reference",
  "robust_accuracy",
  "sequence_name",
  "smallest_epsilons",
  "stability",
  "summarize",
  "summarize_smallest",
  "typographic",
]
