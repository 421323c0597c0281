"""How often predictions change from frame to frame (Hendrycks & Dietterich, 2019, section 4).

Frames of noise are compared with the first, clean one; those of all other sequences with the one
before, or, at a higher difficulty, with the one so many frames before. FP is the flip probability:
how often the two predictions differ. uT5D is the mean top-5 distance, the sum over i = 1..5 of
|min(i - 1, 5) - min(s(i) - 1, 5)|, where s(i) is the rank in one frame of the class ranked i in the
other. Divided by a reference model's (the paper's is AlexNet), they are the flip rate FR and T5D;
mFR and mT5D are the means over ten sequences.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench.metrics.bootstrap import Estimate, bootstrap
from jaxbench.metrics.by_image import coded, of_classifier, side_by_side

SEQUENCES = (  # Over which means are taken.
  "gaussian_noise",
  "shot_noise",
  "motion_blur",
  "zoom_blur",
  "snow",
  "brightness",
  "translate",
  "rotate",
  "tilt",
  "scale",
)


class Flips(NamedTuple):
  """FP and uT5D of one sequence, by which others are divided."""

  flip_probability: float
  top5_distance: float


class Stability(NamedTuple):
  """One classifier on the sequences of one data set."""

  examples: int
  figures: dict[str, Estimate]  # See `flip_rates`; what something is missing for is absent.
  missing: tuple[str, ...]  # Of the ten.


def flip_rates(
  changes: Mapping[str, np.ndarray], *, reference: Mapping[str, Flips] | None = None
) -> Stability:
  """What sequences do to one classifier, with intervals over the images.

  Args:
    changes: [N, 2], FP and uT5D of the same images in one order, by sequence, as
      `changes_by_sequence` has them.
    reference: FP and uT5D that they are divided by, taken as they stand; no sequence of which may
      be missing. Without it there are no rates.

  Returns:
    figures: for every sequence its FP, under its name, and its uT5D, under "NAME/top5"; "mean" and
    "mean/top5", those over the ten; "mfr" and "mt5d", 1 for the reference itself.
  """
  names, values = list(changes), np.concatenate(list(changes.values()), axis=1)
  missing = tuple(name for name in SEQUENCES if name not in changes)

  def figures(means: np.ndarray) -> dict[str, np.ndarray]:
    flips = {name: means[..., 2 * column] for column, name in enumerate(names)}
    distances = {name: means[..., 2 * column + 1] for column, name in enumerate(names)}
    named = flips | {f"{name}/top5": distance for name, distance in distances.items()}
    if missing:
      return named
    named["mean"] = np.mean([flips[name] for name in SEQUENCES], axis=0)
    named["mean/top5"] = np.mean([distances[name] for name in SEQUENCES], axis=0)
    if reference is not None and all(min(reference.get(name, (0,))) > 0 for name in SEQUENCES):
      rates = [flips[name] / reference[name].flip_probability for name in SEQUENCES]
      ratios = [distances[name] / reference[name].top5_distance for name in SEQUENCES]
      named |= {"mfr": np.mean(rates, axis=0), "mt5d": np.mean(ratios, axis=0)}
    return named

  return Stability(len(values), bootstrap(values, figures), missing)


def changes_by_sequence(
  rows: pa.Table, model: str, prompts: str | None, data: str
) -> dict[str, np.ndarray]:
  """FP and uT5D of one classifier on one data set: [N, 2] by sequence.

  Only images that all its sequences have are there, in one order.

  Args:
    rows: of `records.read`.
    model: of the classifier.
    prompts: of the classifier; None for a supervised one.
    data: the data set.
  """
  rows = of_classifier(rows, model, prompts, data)
  rows = rows.filter(pc.is_valid(rows["flips"]))
  names, cells = coded(rows["perturbation"])
  values = np.stack([rows[name].to_numpy() for name in ("flips", "top5_distance")], axis=1)
  changes = side_by_side(cells, rows["example"], values)
  return dict(zip(map(sequence_name, names), changes, strict=True))


def sequence_name(perturbation: str) -> str:
  """ "tilt" of "sequence(tilt, difficulty=2)"."""
  return perturbation.removeprefix("sequence(").rstrip(")").partition(",")[0]
