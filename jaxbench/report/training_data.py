"""The section of a report on overlap with training data, from a search and the run's records."""

from typing import NamedTuple

import pyarrow as pa
from etils import epath

from jaxbench import errors, metrics
from jaxbench.records.overlap import Duplicates, read_duplicates, read_search
from jaxbench.report import plots
from jaxbench.report.classifiers import Classifier, Row

_COPIES = "similarity by a model that was trained to tell copies"
_SEMANTIC = "semantic similarity, not duplicates"


class Findings(NamedTuple):
  """What a folder of `jaxbench.overlap` holds."""

  folder: str
  encoder: Row  # Its identity.
  kind: str  # What its similarity is worth.
  reference: str | None  # None without a search.
  exact: str  # How the neighbours were found.
  similarities: dict[tuple[str, str], float]
  thresholds: dict[str, float]  # By data set, of similarities.
  kinds: tuple[str, ...]  # Of planted copies.
  calibration: list[Row]
  duplicates: list[Row]  # Data set, detector, share of examples with a duplicate.


class Overlap(NamedTuple):
  """What is said of one run."""

  findings: Findings
  lines: list[Row]  # Of `metrics.summarize_overlap`.
  plots: list[str]  # SVGs, one for each data set.
  shifts: list[Row]  # Of `metrics.summarize_clean_shifts`.
  left_out: list[str]  # Data sets that were not searched, or have no threshold.


def load(folder: epath.PathLike, threshold: float | None) -> Findings:
  """Reads the results of `python -m jaxbench.overlap search` or `duplicates`, or of both.

  Raises:
    InputError: there are none, or they are of different encoders.
  """
  duplicates = read_duplicates(folder)
  searched = duplicates is None or (epath.Path(folder) / "search.json").exists()
  matches, described = read_search(folder) if searched else (None, None)
  descriptions = (described, duplicates and duplicates.described)
  encoders = [each["queries"]["encoder"] for each in descriptions if each]
  if encoders[0] != encoders[-1]:
    raise errors.InputError(
      f"{folder}: search and duplicates are of different encoders; a threshold of one says nothing "
      "of the other"
    )
  similarities = {} if matches is None else _nearest(matches)
  names = dict.fromkeys(data for data, _ in similarities)
  calibrated = {} if duplicates is None else duplicates.thresholds("embedding")
  limits = {name: calibrated.get(name) if threshold is None else threshold for name in names}
  return Findings(
    folder=str(folder),
    encoder=encoders[0],
    kind=_COPIES if encoders[0]["copies"] else _SEMANTIC,
    reference=None if described is None else described["reference"],
    exact=_exact(described),
    similarities=similarities,
    thresholds={name: limit for name, limit in limits.items() if limit is not None},
    kinds=() if duplicates is None else duplicates.kinds,
    calibration=[] if duplicates is None else duplicates.calibration.to_pylist(),
    duplicates=[] if duplicates is None else _counted(duplicates),
  )


def section(findings: Findings, rows: pa.Table, classifiers: list[Classifier]) -> Overlap:
  """The overlap of one run.

  Raises:
    InputError: an example that the run evaluates was not searched.
  """
  names = dict.fromkeys(rows["data"].to_pylist())
  limits = (findings.similarities, findings.thresholds)
  return Overlap(
    findings,
    lines=metrics.summarize_overlap(rows, *limits),
    plots=_plots(findings, rows, classifiers),
    shifts=metrics.summarize_clean_shifts(rows, *limits),
    left_out=[name for name in names if name not in findings.thresholds],
  )


def _nearest(matches: pa.Table) -> dict[tuple[str, str], float]:
  columns = (matches[name].to_pylist() for name in ("data", "example", "similarity", "rank"))
  return {
    (data, example): similarity
    for data, example, similarity, rank in zip(*columns, strict=True)
    if rank == 0
  }


def _exact(described: Row | None) -> str:
  recall = 1 if described is None else described["settings"]["recall"]
  return "exact" if recall == 1 else f"approximate, expected recall {recall:g}"


def _counted(duplicates: Duplicates) -> list[Row]:
  """Examples that are in a pair of duplicates, by detector and data set."""
  names = duplicates.thresholds("embedding")
  touched: dict[tuple[str, str], set[str]] = {}
  for row in duplicates.pairs.to_pylist():
    if row["duplicate"]:
      ends = ((row["data"], row["example"]), (row["other_data"], row["other"]))
      for data, example in ends:
        touched.setdefault((row["detector"], data), set()).add(example)
  return [
    {"data": data, "detector": detector, "count": len(touched.get((detector, data), ()))}
    for data in names
    for detector in ("exact", "perceptual", "embedding")
  ]


def _plots(findings: Findings, rows: pa.Table, classifiers: list[Classifier]) -> list[str]:
  by_key = {classifier.key: classifier for classifier in classifiers}
  by_data: dict[str, list[plots.Line]] = {}
  curves = metrics.overlap_curves(rows, findings.similarities, findings.thresholds)
  for (data, model, prompts), curve in curves.items():
    classifier = by_key[model, prompts]
    look = classifier.name, classifier.color, classifier.dash
    points = 100 * curve.difference
    line = plots.Line(*look, curve.thresholds, points, classifier.choice)
    by_data.setdefault(data, []).append(line)
  return [
    plots.threshold_curves(data, findings.thresholds[data], lines)
    for data, lines in by_data.items()
  ]
