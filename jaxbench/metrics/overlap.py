"""Accuracy with and without the examples that occur in training data.

Reference: CLIP's paper (Radford et al., 2021, arXiv:2103.00020), section 5.
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from jaxbench import errors
from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.bootstrap import Estimate

_CONFIDENCE = 0.995  # Of Clopper-Pearson, as in CLIP's paper.


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
    on_overlap = proportion(hits, count, _CONFIDENCE) if count else None
    nothing = None if clean is None else Estimate(0.0, 0.0, 0.0)
    return Overlap(share, accuracy, clean, on_overlap, nothing, None, None, None, None)
  on_overlap = proportion(hits, count, _CONFIDENCE)
  difference = Estimate(accuracy - clean, *(share.value * (end - clean) for end in on_overlap[1:]))
  p_value = float(scipy.stats.binom.sf(hits - 1, count, clean))
  matched, covered = _matched(dirty, right, labels)
  gap = _gap(hits, count, int(right[~dirty].sum()), len(dirty) - count, resamples)
  return Overlap(share, accuracy, clean, on_overlap, difference, p_value, gap, matched, covered)


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
  has_clean = clean > 0
  covered = wanted[has_clean].sum() / wanted.sum()
  if not covered:
    return None, 0.0
  return float(np.average(hits[has_clean] / clean[has_clean], weights=wanted[has_clean])), float(
    covered
  )
