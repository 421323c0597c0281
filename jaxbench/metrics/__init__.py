"""From records to numbers: accuracy with intervals, attack success, comparison, natural shifts."""

from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.attack_success import DEFINITIONS, attack_success
from jaxbench.metrics.averages import ALL, Average, averages
from jaxbench.metrics.bootstrap import Estimate, bootstrap
from jaxbench.metrics.broken import not_finite, refuted
from jaxbench.metrics.calibration import Reliability, expected_calibration_error, reliability
from jaxbench.metrics.certified import Certified, certificate_doubts, summarize_certified
from jaxbench.metrics.consistency import error_consistency
from jaxbench.metrics.convergence import steps_needed, unconverged
from jaxbench.metrics.defended import Defended, defence_doubts, summarize_defended
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
from jaxbench.metrics.effort import Effort, effort_doubts, summarize_effort
from jaxbench.metrics.factors import FACTORS, read_factors, summarize_factors
from jaxbench.metrics.flip_reference import read_flip_reference
from jaxbench.metrics.flips import flip_probability
from jaxbench.metrics.folds import recalls_over_folds
from jaxbench.metrics.headline import (
  MEAN_AVERAGE_PRECISION,
  MEAN_PER_CLASS,
  PREFERRED,
  RECALL,
  TOP_1,
  headline,
)
from jaxbench.metrics.masking import gradient_masking
from jaxbench.metrics.mce import (
  GROUPS,
  CorruptionErrors,
  alexnet,
  correct_by_cell,
  corruption_errors,
)
from jaxbench.metrics.on_disk import corrupted_on_disk
from jaxbench.metrics.outliers import OUTLIER_COLUMNS, OUTLIERS, auroc, fpr95, summarize_outliers
from jaxbench.metrics.overlap import Curve, Overlap, overlap, overlap_curve
from jaxbench.metrics.overlap_summary import (
  overlap_curves,
  summarize_clean_shifts,
  summarize_overlap,
)
from jaxbench.metrics.overview import (
  overview,
  overview_averages,
  overview_outliers,
  overview_recalls,
  overview_shifts,
  overview_tables,
)
from jaxbench.metrics.paired import (
  Comparison,
  clustered,
  compare,
  compare_cells,
  holm,
  mcnemar,
  paired,
  shared,
)
from jaxbench.metrics.per_class import ClassAccuracy, mean_per_class_accuracy, worst_classes
from jaxbench.metrics.precision import (
  average_precision,
  eleven_point_precision,
  mean_average_precision,
)
from jaxbench.metrics.probes import PROBE_COLUMNS, Probed, Winoground, probes
from jaxbench.metrics.recall import AT, RECALL_COLUMNS, recalls
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
from jaxbench.metrics.text_attacks import Drop, TextAttacked, text_attacks
from jaxbench.metrics.typographic import Typographic, typographic
from jaxbench.metrics.video import VideoAccuracy, pm_k
from jaxbench.metrics.visibility import Visibility, visibility
from jaxbench.metrics.worst_case import mean_share, withstood

__all__ = [
  "ALL",
  "AT",
  "DEFINITIONS",
  "FACTORS",
  "GROUPS",
  "MEAN_AVERAGE_PRECISION",
  "MEAN_PER_CLASS",
  "OUTLIERS",
  "OUTLIER_COLUMNS",
  "PREFERRED",
  "PROBE_COLUMNS",
  "RECALL",
  "RECALL_COLUMNS",
  "SEQUENCES",
  "SHIFTS",
  "TOP_1",
  "Average",
  "Certified",
  "ClassAccuracy",
  "Comparison",
  "CorruptionErrors",
  "Curve",
  "Defended",
  "Drop",
  "Effort",
  "Estimate",
  "Flips",
  "Line",
  "Overlap",
  "Probed",
  "Proportion",
  "Reliability",
  "Stability",
  "TextAttacked",
  "Typographic",
  "VideoAccuracy",
  "Visibility",
  "Winoground",
  "alexnet",
  "attack_success",
  "auroc",
  "average_precision",
  "averages",
  "baseline",
  "baseline_band",
  "bootstrap",
  "breaking_point",
  "certificate_doubts",
  "changes_by_sequence",
  "clustered",
  "compare",
  "compare_cells",
  "correct_by_cell",
  "corrupted_on_disk",
  "corruption_errors",
  "defence_doubts",
  "describe_smallest",
  "effective_robustness",
  "effort_doubts",
  "eleven_point_precision",
  "error_consistency",
  "expected_calibration_error",
  "fit",
  "fit_band",
  "flip_probability",
  "flip_rates",
  "fpr95",
  "gradient_masking",
  "headline",
  "holm",
  "is_correct",
  "mcnemar",
  "mean_average_precision",
  "mean_per_class_accuracy",
  "mean_share",
  "not_finite",
  "overlap",
  "overlap_curve",
  "overlap_curves",
  "overview",
  "overview_averages",
  "overview_outliers",
  "overview_recalls",
  "overview_shifts",
  "overview_tables",
  "paired",
  "pm_k",
  "probes",
  "proportion",
  "read_factors",
  "read_flip_reference",
  "recalls",
  "recalls_over_folds",
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
  "summarize_certified",
  "summarize_clean_shifts",
  "summarize_defended",
  "summarize_effort",
  "summarize_factors",
  "summarize_outliers",
  "summarize_overlap",
  "summarize_shifts",
  "summarize_smallest",
  "text_attacks",
  "typographic",
  "unconverged",
  "visibility",
  "withstood",
  "worst_classes",
]
