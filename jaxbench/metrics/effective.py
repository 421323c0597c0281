"""Effective robustness: accuracy under a shift, beyond what accuracy without it explains.

Reference: Taori et al., 2020 (arXiv:2007.00644), section 3.1 and appendix.
"""

import csv
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import scipy
from numpy.typing import ArrayLike

from jaxbench import errors, tables
from jaxbench.metrics.shifts import SHIFTS

_LEAST_ACCURATE = 55  # Percent; less accurate models are not fitted.
# Models that imagenet-testbed does not fit: trained on parts of ImageNet, or again elsewhere.
_LEFT_OUT = ("subsample", "aws", "batch64")
_SELECTOR = "resnet50"  # ImageNet-A is made of its errors.


_TABLE = pa.schema(
  [
    *((name, pa.string()) for name in ("shift", "model", "prompts")),
    *(
      (name, pa.float64()) for name in ("standard", "accuracy", "expected", "effective_robustness")
    ),
  ]
)


class Line(NamedTuple):
  """logit(shifted accuracy) = slope * logit(standard accuracy) + intercept."""

  slope: float
  intercept: float
  models: int  # That it was fitted to.
  r_squared: float

  def expected(self, standard: ArrayLike) -> np.ndarray:
    """Accuracy under the shift, in [0, 1], of models as accurate as `standard` [...] without it."""
    return scipy.special.expit(self.slope * scipy.special.logit(standard) + self.intercept)


def fit(standard: ArrayLike, shifted: ArrayLike) -> Line:
  """The line through models, by least squares between logits.

  Args:
    standard: [N] accuracies in [0, 1] without the shift, of models that nobody made robust.
    shifted: [N] accuracies under it. A model without any right or wrong answer has no logit and
      is left out.

  Raises:
    InputError: fewer than two models are left.
  """
  x, y = _logits(standard, shifted)
  if len(np.unique(x)) < 2:
    raise errors.InputError("a line needs at least two models of different accuracy")
  regression = scipy.stats.linregress(x, y)
  return Line(
    float(regression.slope), float(regression.intercept), len(x), float(regression.rvalue**2)
  )


def fit_band(
  standard: ArrayLike, shifted: ArrayLike, at: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
  """Where the line of `fit` may lie: its 95 % band by Student's t, which serves few models too.

  Args:
    standard: of `fit`.
    shifted: of `fit`.
    at: [G] accuracies in (0, 1) without the shift.

  Returns:
    the lower and the upper end [G], accuracies under the shift.

  Raises:
    InputError: fewer than three models are left, whose line would pass through all of them.
  """
  x, y = _logits(standard, shifted)
  if len(np.unique(x)) < 3:
    raise errors.InputError("a band needs at least three models of different accuracy")
  regression = scipy.stats.linregress(x, y)
  away = scipy.special.logit(np.asarray(at, np.float64)) - x.mean()
  line = regression.slope * away + y.mean()
  half = scipy.stats.t.ppf(0.975, len(x) - 2) * regression.stderr * np.sqrt(x.var() + away**2)
  return scipy.special.expit(line - half), scipy.special.expit(line + half)


def _logits(standard: ArrayLike, shifted: ArrayLike) -> np.ndarray:
  """[2, N]: of the models that have both."""
  both = np.stack([np.asarray(standard, np.float64), np.asarray(shifted, np.float64)])
  return scipy.special.logit(both[:, ((both > 0) & (both < 1)).all(axis=0)])


def baseline(shift: str, standard: float) -> Line:
  """The line of published standard models of about that accuracy (imagenet-testbed).

  Zero-shot models trained on other data than ImageNet look more robust than they are beside it
  (Shi et al., 2023, arXiv:2302.01381).

  Args:
    shift: a key of `SHIFTS`.
    standard: accuracy in [0, 1] without the shift; it decides only on ImageNet-A, where the models
      above and below the one that selected the images lie on different lines.

  Raises:
    InputError: the table has no such shift.
  """
  return fit(*_fitted(shift, standard))


def baseline_band(
  shift: str, standard: ArrayLike, *, resamples: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
  """Where the line of `baseline` may lie: its 95 % percentile bootstrap band, over the models.

  Args:
    shift: a key of `SHIFTS`.
    standard: accuracies [N] in (0, 1), all on one line of `baseline`.
    resamples: how many.
    seed: of the resamples.

  Returns:
    the lower and the upper end [N], accuracies under the shift.

  Raises:
    InputError: the table has no such shift.
  """
  at = np.asarray(standard, np.float64)
  x, y = _logits(*_fitted(shift, float(at.flat[0])))
  chosen = np.random.default_rng(seed).integers(0, len(x), (resamples, len(x)))
  x, y = x[chosen], y[chosen]
  x_mean, y_mean = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
  slope = ((x - x_mean) * (y - y_mean)).sum(1, keepdims=True) / ((x - x_mean) ** 2).sum(
    1, keepdims=True
  )
  lines = y_mean + slope * (scipy.special.logit(at) - x_mean)
  low, high = np.quantile(scipy.special.expit(lines), (0.025, 0.975), axis=0)
  return low, high


def standard_models(shift: str) -> tuple[np.ndarray, np.ndarray]:
  """Published models that the line of a shift goes through: two arrays [N] of accuracies in [0, 1].

  Raises:
    InputError: the table has no such shift.
  """
  if shift not in SHIFTS or not SHIFTS[shift].standard:
    raise errors.unknown("shift", shift, [name for name, each in SHIFTS.items() if each.standard])
  columns = SHIFTS[shift]
  rows = [row for row in _published() if row[columns.standard] and row[columns.shifted]]
  x, y = (
    np.array([float(row[name]) / 100 for row in rows])
    for name in (columns.standard, columns.shifted)
  )
  kept = x >= _LEAST_ACCURATE / 100
  return x[kept], y[kept]


def breaking_point(shift: str) -> float | None:
  """The accuracy without the shift at which its line breaks; None: it does not."""
  if not SHIFTS[shift].broken:
    return None
  (selector,) = [row for row in _published() if row["model"] == _SELECTOR]
  return float(selector[SHIFTS[shift].standard]) / 100


def _fitted(shift: str, standard: float) -> tuple[np.ndarray, np.ndarray]:
  """The models whose line one of that accuracy is compared with."""
  x, y = standard_models(shift)
  selector = breaking_point(shift)
  if selector is None:
    return x, y
  side = (x > selector) if standard > selector else (x < selector)
  return x[side], y[side]


def effective_robustness(shift: str, standard: float, shifted: float) -> float:
  """Accuracy under a shift minus that of published models as accurate without it.

  Args:
    shift: a key of `SHIFTS`.
    standard: accuracy in [0, 1] without the shift, on the same classes.
    shifted: accuracy in [0, 1] under it.

  Returns:
    a difference of accuracies, in [-1, 1].

  Raises:
    InputError: the table has no such shift.
  """
  return shifted - float(baseline(shift, standard).expected(standard))


def relative_robustness(shifted: float, shifted_before: float) -> float:
  """What a change to a model gains under the shift: the difference of accuracies in [0, 1]."""
  return shifted - shifted_before


def summarize_shifts(summary: pa.Table) -> pa.Table:
  """The effective robustness of the classifiers of a run.

  Args:
    summary: of `summarize`; rows without perturbation count.

  Returns:
    one row per shift and classifier whose accuracy without the shift is in the run too: `shift`,
    `model`, `prompts`; `standard` and `accuracy`, in [0, 1]; `expected`, what published models have
    that are as accurate without it, and `effective_robustness`, the rest. Without an expectation,
    as at a standard of 0 or 1, both are None.
  """
  clean = [row for row in summary.to_pylist() if row["perturbation"] == "clean"]
  by_classifier = {(row["data"], row["model"], row["prompts"]): row for row in clean}
  lines = []
  for name, shift in SHIFTS.items():
    for row in clean:
      within = by_classifier.get((shift.within, row["model"], row["prompts"]))
      if row["data"] != shift.data or within is None:
        continue
      accuracy = row["pm_accuracy"] if within is row else row["accuracy"]
      if accuracy is not None:
        figures = _beside_line(name, within["accuracy"], accuracy)
        lines.append({"shift": name, "model": row["model"], "prompts": row["prompts"]} | figures)
  return pa.Table.from_pylist(lines, schema=_TABLE)


def _beside_line(shift: str, standard: float, accuracy: float) -> dict[str, float | None]:
  expected = None
  if 0 < standard < 1 and SHIFTS[shift].standard:
    expected = float(baseline(shift, standard).expected(standard))
  rest = None if expected is None else accuracy - expected
  figures = {"standard": standard, "accuracy": accuracy, "expected": expected}
  return figures | {"effective_robustness": rest}


def _published() -> list[dict[str, str]]:
  """Models trained on ImageNet alone without any aim at robustness."""
  with tables.path("testbed_model_accuracies.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))
  return [
    row
    for row in rows
    if row["type"] == "STANDARD" and not any(part in row["model"] for part in _LEFT_OUT)
  ]
