"""Which figure of a cell papers report of its data set."""

# As `run.json` names them.
TOP_1, MEAN_PER_CLASS = "top-1", "mean per class"
MEAN_AVERAGE_PRECISION = "mean average precision"
RECALL = "R@1"  # Of images with captions, of which `recalls` tells more.
PREFERRED = "right option preferred"  # Of probes, of which `probes` does.
_FIELDS = {
  MEAN_PER_CLASS: "per_class_accuracy",
  MEAN_AVERAGE_PRECISION: "mean_average_precision",
}


def headline(metric: str | None) -> str:
  """The column of `summarize` that a metric is; accuracy, unless it is said that it is another."""
  return _FIELDS.get(metric or TOP_1, "accuracy")
