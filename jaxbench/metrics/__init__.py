"""From records to numbers: accuracy with intervals, attack success, comparison, natural shifts."""

from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.bootstrap import Estimate, bootstrap
from jaxbench.metrics.broken import not_finite, refuted
from jaxbench.metrics.calibration import Reliability, expected_calibration_error, reliability
from jaxbench.metrics.consistency import error_consistency
from jaxbench.metrics.convergence import steps_needed, unconverged
from jaxbench.metrics.effective import (
  Line,
  baseline,
  baseline_band,
  breaking_point,
  effective_robustness,
  fit,
  fit_band,
  relative_robustness,
  standard_models,
  summarize_shifts,
)
from jaxbench.metrics.flip_reference import read_flip_reference
from jaxbench.metrics.flips import flip_probability
from jaxbench.metrics.masking import gradient_masking
from jaxbench.metrics.mce import (
  GROUPS,
  CorruptionErrors,
  alexnet,
  correct_by_cell,
  corruption_errors,
)
from jaxbench.metrics.on_disk import corrupted_on_disk
from jaxbench.metrics.overlap import Curve, Overlap, overlap, overlap_curve
from jaxbench.metrics.overlap_summary import (
  overlap_curves,
  summarize_clean_shifts,
  summarize_overlap,
)
from jaxbench.metrics.overview import MEAN_PER_CLASS, overview, overview_shifts
from jaxbench.metrics.paired import Comparison, compare, compare_cells, holm, mcnemar, shared
from jaxbench.metrics.per_class import ClassAccuracy, mean_per_class_accuracy, worst_classes
from jaxbench.metrics.shape_bias import shape_bias
from jaxbench.metrics.shifts import SHIFTS
from jaxbench.metrics.smallest import (
  describe_smallest,
  robust_accuracy,
  smallest_epsilons,
  smallest_of_all,
  summarize_smallest,
)
from jaxbench.metrics.stability import (
  SEQUENCES,
  Flips,
  Stability,
  changes_by_sequence,
  flip_rates,
  sequence_name,
)
from jaxbench.metrics.summary import is_correct, summarize
from jaxbench.metrics.typographic import Typographic, typographic
from jaxbench.metrics.video import VideoAccuracy, pm_k
from jaxbench.metrics.visibility import Visibility, visibility
from jaxbench.metrics.worst_case import mean_share, withstood

__all__ = [
  "GROUPS",
  "MEAN_PER_CLASS",
  "SEQUENCES",
  "SHIFTS",
  "ClassAccuracy",
  "Comparison",
  "CorruptionErrors",
  "Curve",
  "Estimate",
  "Flips",
  "Line",
  "Overlap",
  "Proportion",
  "Reliability",
  "Stability",
  "Typographic",
  "VideoAccuracy",
  "Visibility",
  "alexnet",
  "baseline",
  "baseline_band",
  "bootstrap",
  "breaking_point",
  "changes_by_sequence",
  "compare",
  "compare_cells",
  "correct_by_cell",
  "corrupted_on_disk",
  "corruption_errors",
  "describe_smallest",
  "effective_robustness",
  "error_consistency",
  "expected_calibration_error",
  "fit",
  "fit_band",
  "flip_probability",
  "flip_rates",
  "gradient_masking",
  "holm",
  "is_correct",
  "mcnemar",
  "mean_per_class_accuracy",
  "mean_share",
  "not_finite",
  "overlap",
  "overlap_curve",
  "overlap_curves",
  "overview",
  "overview_shifts",
  "pm_k",
  "proportion",
  "read_flip_reference",
  "refuted",
  "relative_robustness",
  "reliability",
  "robust_accuracy",
  "sequence_name",
  "shape_bias",
  "shared",
  "smallest_epsilons",
  "smallest_of_all",
  "standard_models",
  "steps_needed",
  "summarize",
  "summarize_clean_shifts",
  "summarize_overlap",
  "summarize_shifts",
  "summarize_smallest",
  "typographic",
  "unconverged",
  "visibility",
  "withstood",
  "worst_classes",
]
