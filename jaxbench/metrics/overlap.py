"""Accuracy with and without the examples that occur in training data.

References: CLIP's paper (Radford et al., 2021, arXiv:2103.00020), section 5, for the statistics;
RoZ (arXiv:2403.10499) asks how much of the robustness under natural shifts overlap explains.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike
from scipy import stats

from jaxbench import errors
from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.bootstrap import Estimate
from jaxbench.metrics.effective import summarize_shifts
from jaxbench.metrics.summary import is_correct, is_example, summarize

_CONFIDENCE = 0.995  # Of Clopper-Pearson, as in CLIP's paper.
Similarities = Mapping[tuple[str, str], float]  # By data set and example; to its nearest reference.


class Overlap(NamedTuple):
  """One classifier on one data set, whose examples overlap with the training data or are clean.

  What needs examples that there are none of is None.
  """

  share: Proportion  # Of the examples that overlap; 95 % interval.
  accuracy: float  # Of all.
  clean: float | None
  overlap: Proportion | None  # Accuracy on what overlaps; 99.5 % Clopper-Pearson.
  # Accuracy of all minus that of the clean ones: what overlap adds. Its interval is that of
  # `overlap` beside the clean accuracy as it was measured: 99.5 %.
  difference: Estimate | None
  p_value: float | None  # One-sided binomial: at least so many right if overlap changed nothing.
  gap: Estimate | None  # Accuracy on what overlaps minus that of the clean ones; 95 % bootstrap.
  matched: float | None  # Clean accuracy with the classes as frequent as in what overlaps.
  covered: float | None  # Share of what overlaps whose class has clean examples, for `matched`.


class Curve(NamedTuple):
  """What overlap adds to accuracy, if it begins at one threshold or another."""

  thresholds: np.ndarray  # [T] float64.
  share: np.ndarray  # [T], of examples that overlap.
  difference: np.ndarray  # [T], accuracy of all minus that of the clean; NaN where none is clean.


def overlap(
  overlapping: ArrayLike, correct: ArrayLike, label: ArrayLike, *, resamples: int = 10_000
) -> Overlap:
  """Accuracy on all, clean and overlapping examples, and whether they differ by more than chance.

  Args:
    overlapping: [N] bool, N > 0.
    correct: [N] bool.
    label: [N] int.
    resamples: of the bootstrap.

  Raises:
    InputError: there are no examples.

  Example:
    >>> metrics.overlap(similarity >= 0.75, prediction == label, label).difference
  """
  dirty, right, labels = (np.asarray(column) for column in (overlapping, correct, label))
  if not len(dirty):
    raise errors.InputError("there are no examples to tell overlap of")
  count, hits = int(dirty.sum()), int(right[dirty].sum())
  share, accuracy = proportion(count, len(dirty)), float(right.mean())
  clean = float(right[~dirty].mean()) if count < len(dirty) else None
  if clean is None or not count:
    own = proportion(hits, count, _CONFIDENCE) if count else None
    nothing = None if clean is None else Estimate(0.0, 0.0, 0.0)
    return Overlap(share, accuracy, clean, own, nothing, None, None, None, None)
  own = proportion(hits, count, _CONFIDENCE)
  difference = Estimate(accuracy - clean, *(share.value * (end - clean) for end in own[1:]))
  p_value = float(stats.binom.sf(hits - 1, count, clean))
  matched, covered = _matched(dirty, right, labels)
  gap = _gap(hits, count, int(right[~dirty].sum()), len(dirty) - count, resamples)
  return Overlap(share, accuracy, clean, own, difference, p_value, gap, matched, covered)


def overlap_curve(similarity: ArrayLike, correct: ArrayLike, thresholds: ArrayLike) -> Curve:
  """The share of overlap and what it adds to accuracy, over thresholds.

  Args:
    similarity: [N], of each example to its nearest reference.
    correct: [N] bool.
    thresholds: [T]; an example overlaps if its similarity is not below.
  """
  order = np.argsort(similarity)
  rising, limits = np.asarray(similarity)[order], np.asarray(thresholds, np.float64)
  hits = np.concatenate([[0], np.cumsum(np.asarray(correct)[order])])
  clean = np.searchsorted(rising, limits)
  with np.errstate(invalid="ignore"):
    difference = hits[-1] / len(order) - hits[clean] / clean
  return Curve(limits, 1 - clean / len(order), difference)


def summarize_overlap(
  rows: pa.Table, similarities: Similarities, thresholds: Mapping[str, float]
) -> list[dict[str, Any]]:
  """Overlap of each data set and classifier of a run, on images without perturbation.

  Args:
    rows: of `records.read`.
    similarities: of every example of the data sets that were searched.
    thresholds: of each data set that is to be told; an example overlaps if it is not below.

  Returns:
    for each classifier and data set `data`, `model`, `prompts`, `threshold`, the fields of
    `Overlap`, and `adjusted`, the p-value after Bonferroni over the classifier's data sets.

  Raises:
    InputError: an example of such a data set was not searched.
  """
  lines = []
  for (name, model, prompts), own in _cells(rows, thresholds):
    similarity = _similarity(own["data"], own["example"], similarities)
    found = overlap(similarity >= np.float32(thresholds[name]), is_correct(own), own["label"])
    known = {"data": name, "model": model, "prompts": prompts, "threshold": thresholds[name]}
    lines.append(known | found._asdict())
  for line in lines:
    tests = sum(
      other["p_value"] is not None
      for other in lines
      if (other["model"], other["prompts"]) == (line["model"], line["prompts"])
    )
    p_value = line["p_value"]
    line["adjusted"] = None if p_value is None else min(1.0, tests * p_value)
  return lines


def overlap_curves(
  rows: pa.Table, similarities: Similarities, names: Mapping[str, Any], steps: int = 200
) -> dict[tuple[str, str, str | None], Curve]:
  """By data set of `names`, model and prompts: `overlap_curve` from the median similarity up."""
  found = {}
  for key, own in _cells(rows, names):
    similarity = _similarity(own["data"], own["example"], similarities)
    thresholds = np.linspace(np.median(similarity), similarity.max(), steps)
    found[key] = overlap_curve(similarity, is_correct(own), thresholds)
  return found


def summarize_clean_shifts(
  rows: pa.Table, similarities: Similarities, thresholds: Mapping[str, float]
) -> list[dict[str, Any]]:
  """The effective robustness of `summarize_shifts`, and what is left of it on clean subsets.

  A frame of a video goes with its anchor.

  Args:
    rows: of `records.read`.
    similarities: of every example of the data sets that were searched.
    thresholds: of each data set; shifts count where both of their data sets have one.

  Returns:
    the rows of `summarize_shifts`, each with `clean_standard`, `clean_accuracy` and
    `clean_effective_robustness`; None where nothing is clean.
  """
  plain = rows.filter(pc.and_(_among(rows, thresholds), _is_plain(rows)))
  if not len(plain):
    return []
  owners = pc.coalesce(plain["anchor"], plain["example"])
  limits = np.array([thresholds[name] for name in plain["data"].to_pylist()], np.float32)
  clean = pa.array(_similarity(plain["data"], owners, similarities) < limits)
  left = {
    tuple(row[name] for name in ("shift", "model", "prompts")): row
    for row in summarize_shifts(summarize(plain.filter(clean))).to_pylist()
  }
  lines = []
  for row in summarize_shifts(summarize(plain)).to_pylist():
    own = left.get((row["shift"], row["model"], row["prompts"]), {})
    names = ("standard", "accuracy", "effective_robustness")
    lines.append(row | {f"clean_{name}": own.get(name) for name in names})
  return lines


def _gap(hits: int, count: int, clean_hits: int, clean: int, resamples: int) -> Estimate:
  """Resampling what is right or wrong is drawing from a binomial distribution."""
  rng = np.random.default_rng(0)
  draws = (rng.binomial(n, k / n, resamples) / n for k, n in ((hits, count), (clean_hits, clean)))
  gaps = np.subtract(*draws)
  return Estimate(hits / count - clean_hits / clean, *map(float, np.quantile(gaps, (0.025, 0.975))))


def _matched(
  dirty: np.ndarray, right: np.ndarray, labels: np.ndarray
) -> tuple[float | None, float]:
  """Clean accuracy by class, weighted by what overlaps; and the share of that which has any."""
  _, classes = np.unique(labels, return_inverse=True)
  wanted = np.bincount(classes[dirty], minlength=classes.max() + 1)
  clean = np.bincount(classes[~dirty], minlength=len(wanted))
  hits = np.bincount(classes[~dirty], weights=right[~dirty], minlength=len(wanted))
  known = clean > 0
  covered = wanted[known].sum() / wanted.sum()
  if not covered:
    return None, 0.0
  return float(np.average(hits[known] / clean[known], weights=wanted[known])), float(covered)


def _cells(
  rows: pa.Table, names: Mapping[str, Any]
) -> list[tuple[tuple[str, str, str | None], pa.Table]]:
  """The examples of each cell without perturbation, by data set, model and prompts."""
  kept = pc.and_(pc.and_(_among(rows, names), _is_plain(rows)), is_example(rows))
  plain = rows.filter(kept)
  cells = plain["cell"].cast(pa.string())
  found = []
  for cell in pc.unique(cells).to_pylist():
    own = plain.filter(pc.equal(cells, cell))
    data, model, prompts = (own[name][0].as_py() for name in ("data", "model", "prompts"))
    found.append(((data, model, prompts), own))
  return found


def _among(rows: pa.Table, names: Mapping[str, Any]) -> pa.ChunkedArray:
  return pc.is_in(rows["data"].cast(pa.string()), pa.array(list(names), pa.string()))


def _is_plain(rows: pa.Table) -> pa.ChunkedArray:
  return pc.equal(rows["perturbation"].cast(pa.string()), "clean")


def _similarity(
  data: pa.ChunkedArray, examples: pa.ChunkedArray, similarities: Similarities
) -> np.ndarray:
  """float32 [N]."""
  keys = list(zip(data.to_pylist(), examples.to_pylist(), strict=True))
  if missing := [key for key in keys if key not in similarities]:
    raise errors.InputError(
      f"{len(missing)} of {len(keys)} examples of {missing[0][0]} were not searched, "
      f"{missing[0][1]!r} for one; embed all that the run evaluates"
    )
  return np.array([similarities[key] for key in keys], np.float32)
