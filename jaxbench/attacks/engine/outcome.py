"""Signs in the outcome of an attack that its figure cannot be trusted.

Reference: Croce & Hein, 2020 (arXiv:2003.01690), and the flags of its implementation.
"""

from collections.abc import Iterator

import numpy as np

from jaxbench.attacks.base import Cascade
from jaxbench.attacks.engine import verdict
from jaxbench.attacks.engine.doubt import Doubt

_BLACK_BOX = 0.002  # Share of examples that Square may win alone.
_LATE = 0.1  # Last share of the steps, in which no more than ...
_SHARE = 0.01  # ... this share of the examples may fall.
_FEWEST_STEPS = 10  # Below, the last tenth is no step.


def doubts(
  cascade: Cascade,
  stage: np.ndarray,
  prediction: np.ndarray,
  success: np.ndarray,
  steps: np.ndarray,
  refuted: np.ndarray,
  *,
  bisected: bool,
) -> tuple[Doubt, ...]:
  """What the outcome shows; arrays [N], of all examples.

  Args:
    cascade: what was run.
    stage: int32, which attack of it succeeded, or -1.
    prediction: int32, of what is returned.
    success: bool, by what is returned.
    steps: int32, of all attacks together.
    refuted: int32, claims that the judge refuted.
    bisected: whether the smallest epsilon was looked for.
  """
  unfinished = () if bisected else _unconverged(cascade, steps, success)
  return (
    *_masked(cascade, stage),
    *_broken(stage, prediction),
    *_refuted(refuted, ~success),
    *unfinished,
  )


def _masked(cascade: Cascade, stage: np.ndarray) -> Iterator[Doubt]:
  if "square" not in cascade.names or len(cascade.names) < 2:
    return
  alone = int((stage == cascade.names.index("square")).sum())
  if alone > _BLACK_BOX * len(stage):
    yield Doubt(
      "gradient_masking",
      f"Square fooled {alone} of {len(stage)} examples that every gradient attack had left: "
      "gradients are likely masked; adapt the attack",
    )


def _broken(stage: np.ndarray, prediction: np.ndarray) -> Iterator[Doubt]:
  if count := int(((stage >= 0) & (prediction == verdict.NOTHING)).sum()):
    yield Doubt(
      "not_finite_attacked",
      f"logits of {count} of {len(stage)} attacked images are not finite; they count as successes, "
      "with the prediction -1: mend the model",
    )


def _refuted(refuted: np.ndarray, withstood: np.ndarray) -> Iterator[Doubt]:
  if refuted.any():
    lost = int(((refuted > 0) & withstood).sum())
    yield Doubt(
      "refuted",
      f"{refuted.sum()} claims of the attack on {(refuted > 0).sum()} of {len(refuted)} examples "
      f"did not hold when judged; it was searched again, and {lost} of them withstood. Many are a "
      "sign of a classifier whose logits depend on the batch or the precision",
    )


def _unconverged(cascade: Cascade, steps: np.ndarray, success: np.ndarray) -> Iterator[Doubt]:
  if len(cascade.attacks) > 1 or cascade.attacks[0].keep_going or cascade.attacks[0].minimizes:
    return
  most = int(steps[~success].max(initial=0))
  late = int((success & (steps > (1 - _LATE) * most) & (steps <= most)).sum())
  if most >= _FEWEST_STEPS and late > max(_SHARE * len(steps), 1):
    yield Doubt(
      "unconverged",
      f"{late} of {len(steps)} examples fell in the last tenth of {most} steps: the attack has not "
      "converged, give it more",
    )
