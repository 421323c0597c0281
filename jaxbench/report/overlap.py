"""The section of a report on overlap with training data, from a search and the run's records."""

from typing import NamedTuple

import pyarrow as pa
from etils import epath

from jaxbench import errors, metrics, overlap
from jaxbench.report import plots
from jaxbench.report.sections import Classifier, Row

_COPIES = "similarity by a model that was trained to tell copies"
_SEMANTIC = "semantic similarity, not duplicates"


class Known(NamedTuple):
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

  known: Known
  lines: list[Row]  # Of `metrics.summarize_overlap`.
  plots: list[str]  # SVGs, one for each data set.
  shifts: list[Row]  # Of `metrics.summarize_clean_shifts`.
  left_out: list[str]  # Data sets that were not searched, or have no threshold.


def load(folder: epath.PathLike, threshold: float | None) -> Known:
  """Reads the results of `python -m jaxbench.overlap search` or `duplicates`, or of both.

  Raises:
    InputError: there are none, or they are of different encoders.
  """
  found = overlap.read_duplicates(folder)
  searched = found is None or (epath.Path(folder) / "search.json").exists()
  matches, described = overlap.read_search(folder) if searched else (None, None)
  encoders = [
    known["queries"]["encoder"] for known in (described, found and found.described) if known
  ]
  if encoders[0] != encoders[-1]:
    raise errors.InputError(
      f"{folder}: search and duplicates are of different encoders; a threshold of one says nothing "
      "of the other"
    )
  similarities = {} if matches is None else _nearest(matches)
  names = dict.fromkeys(data for data, _ in similarities)
  calibrated = {} if found is None else found.thresholds("embedding")
  limits = {name: calibrated.get(name) if threshold is None else threshold for name in names}
  return Known(
    folder=str(folder),
    encoder=encoders[0],
    kind=_COPIES if encoders[0]["copies"] else _SEMANTIC,
    reference=None if described is None else described["reference"],
    exact=_exact(described),
    similarities=similarities,
    thresholds={name: limit for name, limit in limits.items() if limit is not None},
    kinds=tuple(overlap.KINDS),
    calibration=[] if found is None else found.calibration.to_pylist(),
    duplicates=[] if found is None else _duplicates(found),
  )


def section(known: Known, rows: pa.Table, classifiers: list[Classifier]) -> Overlap:
  """Of one run.

  Raises:
    InputError: an example that the run evaluates was not searched.
  """
  names = dict.fromkeys(rows["data"].to_pylist())
  told = (known.similarities, known.thresholds)
  return Overlap(
    known,
    lines=metrics.summarize_overlap(rows, *told),
    plots=_plots(known, rows, classifiers),
    shifts=metrics.summarize_clean_shifts(rows, *told),
    left_out=[name for name in names if name not in known.thresholds],
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


def _duplicates(found: overlap.Found) -> list[Row]:
  """Examples that are in a pair of duplicates, by detector and data set."""
  totals = dict.fromkeys(found.thresholds("embedding"), 0)
  touched: dict[tuple[str, str], set[str]] = {}
  for row in found.pairs.to_pylist():
    if row["duplicate"]:
      ends = ((row["data"], row["example"]), (row["other_data"], row["other"]))
      for data, example in ends:
        touched.setdefault((row["detector"], data), set()).add(example)
  return [
    {"data": data, "detector": detector, "count": len(touched.get((detector, data), ()))}
    for data in totals
    for detector in ("exact", "perceptual", "embedding")
  ]


def _plots(known: Known, rows: pa.Table, classifiers: list[Classifier]) -> list[str]:
  curves: dict[str, list[plots.Line]] = {}
  found = metrics.overlap_curves(rows, known.similarities, known.thresholds)
  for (data, model, prompts), curve in found.items():
    own = next(one for one in classifiers if (one.model, one.prompts) == (model, prompts))
    line = plots.Line(own.name, own.color, own.dash, curve.thresholds, 100 * curve.difference)
    curves.setdefault(data, []).append(line)
  return [
    plots.threshold_curves(data, known.thresholds[data], lines) for data, lines in curves.items()
  ]
