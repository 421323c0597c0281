"""From records to numbers: accuracy with intervals, attack success, comparison, natural shifts."""

from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.effective import (
  SHIFTS,
  Line,
  baseline,
  effective_robustness,
  fit,
  relative_robustness,
)
from jaxbench.metrics.masking import gradient_masking
from jaxbench.metrics.overview import overview
from jaxbench.metrics.paired import Comparison, compare
from jaxbench.metrics.per_class import mean_per_class_accuracy
from jaxbench.metrics.shape_bias import shape_bias
from jaxbench.metrics.smallest import robust_accuracy, smallest_epsilons, summarize_smallest
from jaxbench.metrics.summary import is_correct, summarize
from jaxbench.metrics.typographic import Typographic, typographic
from jaxbench.metrics.video import VideoAccuracy, pm_k

__all__ = [
  "SHIFTS",
  "Comparison",
  "Line",
  "Proportion",
  "Typographic",
  "VideoAccuracy",
  "baseline",
  "compare",
  "effective_robustness",
  "fit",
  "gradient_masking",
  "is_correct",
  "mean_per_class_accuracy",
  "overview",
  "pm_k",
  "proportion",
  "relative_robustness",
  "robust_accuracy",
  "shape_bias",
  "smallest_epsilons",
  "summarize",
  "summarize_smallest",
  "typographic",
]
