"""How much common corruptions hurt, in one number (Hendrycks & Dietterich, 2019, section 4.4).

CE of a corruption is the error summed over severities, divided by AlexNet's; mCE is the mean of the
fifteen. Relative CE takes each one's clean error off both sums first.
"""

import csv
import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import errors, records, tables
from jaxbench.metrics.bootstrap import Estimate, bootstrap
from jaxbench.metrics.by_image import coded, of_classifier, side_by_side
from jaxbench.metrics.summary import is_correct

GROUPS: dict[str, tuple[str, ...]] = {
  "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
  "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
  "weather": ("snow", "frost", "fog", "brightness"),
  "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
}
OFFICIAL = tuple(name for names in GROUPS.values() for name in names)
SEVERITIES = (1, 2, 3, 4, 5)
CLEAN = "clean"
Errors = Mapping[tuple[str, int], float]  # By corruption and severity; (CLEAN, 0) without any.


class CorruptionErrors(NamedTuple):
  """One classifier under corruptions of one data set."""

  examples: int
  figures: dict[str, Estimate]  # See `corruption_errors`; what something is missing for is absent.
  missing: tuple[str, ...]  # Of the fifteen, those without some severity.


@functools.cache
def alexnet() -> Errors:
  """AlexNet's errors on ImageNet-C at 224 pixels, by which published mCE is divided."""
  with tables.path("alexnet_imagenet_c_errors.csv").open() as file:
    rows = list(csv.DictReader(file))
  return {(row["corruption"], int(row["severity"])): float(row["error"]) for row in rows}


def corruption_errors(
  correct: Mapping[tuple[str, int], np.ndarray], *, reference: Errors | None = None
) -> CorruptionErrors:
  """What corruptions do to one classifier, with intervals over the images.

  Args:
    correct: bool [N], by corruption and severity, and (CLEAN, 0): of the same images in one order,
      as `correct_by_cell` has it.
    reference: errors that CE is divided by: `alexnet()`, or another model's. Without it, or where
      it makes no error, there is no CE.

  Raises:
    InputError: there is nothing in `correct`, or no image.

  Returns:
    figures: "clean"; "mean", the accuracy over all fifteen; "noise", "blur", "weather" and
    "digital", over those of a group; "mce" and "relative_mce", 1 for the reference itself; and for
    every corruption with all five severities its CE, under its name.
  """
  if not correct or not len(next(iter(correct.values()))):
    raise errors.InputError(
      "there is no image that all cells of this classifier have: is it the name of one of the run, "
      "and has the run got so far?"
    )
  keys, values = list(correct), np.stack(list(correct.values()), axis=1)
  whole = {name for name, _ in keys if all((name, level) in correct for level in SEVERITIES)}
  missing = tuple(name for name in OFFICIAL if name not in whole)

  def figures(accuracy: np.ndarray) -> dict[str, np.ndarray]:
    at = {key: accuracy[..., column] for column, key in enumerate(keys)}
    error = {name: np.sum([1 - at[name, s] for s in SEVERITIES], axis=0) for name in whole}
    named = {"clean": at[CLEAN, 0]} if (CLEAN, 0) in at else {}
    groups = GROUPS if missing else GROUPS | {"mean": OFFICIAL}
    for group, members in groups.items():
      if whole.issuperset(members):
        named[group] = 1 - np.mean([error[name] for name in members], axis=0) / len(SEVERITIES)
    if reference is None:
      return named
    divisor = {name: sum(reference.get((name, s), np.nan) for s in SEVERITIES) for name in whole}
    ce = {name: error[name] / divisor[name] for name in whole if divisor[name] > 0}
    if not missing and ce.keys() >= set(OFFICIAL):
      named["mce"] = np.mean([ce[name] for name in OFFICIAL], axis=0)
      if "clean" in named and (CLEAN, 0) in reference:
        ours = len(SEVERITIES) * (1 - named["clean"])
        theirs = {name: divisor[name] - len(SEVERITIES) * reference[CLEAN, 0] for name in OFFICIAL}
        if min(theirs.values()) > 0:
          named["relative_mce"] = np.mean(
            [(error[name] - ours) / theirs[name] for name in OFFICIAL], axis=0
          )
    return named | ce

  return CorruptionErrors(len(values), bootstrap(values, figures), missing)


def correct_by_cell(
  rows: pa.Table, model: str, prompts: str | None, data: str
) -> dict[tuple[str, int], np.ndarray]:
  """Whether a classifier is right on a data set: bool [N] by corruption and severity.

  Only images that all cells have are there, in one order; (CLEAN, 0) is the clean ones.

  Args:
    rows: of `records.read`.
    model: of the classifier.
    prompts: of the classifier; None for a supervised one.
    data: the data set.
  """
  rows = of_classifier(rows, model, prompts, data)
  clean = records.is_value(rows["perturbation"], CLEAN)
  rows = rows.filter(pc.or_(pc.is_valid(rows["severity"]), clean))
  names, kinds = coded(rows["perturbation"])
  settings = np.stack([kinds, rows["severity"].fill_null(0).to_numpy()], axis=1)
  different, cells = np.unique(settings, axis=0, return_inverse=True)
  correct = side_by_side(cells.ravel(), rows["example"], is_correct(rows).to_numpy())
  keys = [(names[kind], severity) for kind, severity in different.tolist()]
  return dict(zip(keys, correct, strict=True))
