"""MI-FGSM, the momentum iterative method (Dong et al., 2018, arXiv:1710.06081)."""

import functools
from typing import Annotated

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import losses, momentum


@functools.cache
def mim(
  *,
  steps: int = 10,
  norm: str = "linf",
  loss: str | losses.Loss = "cross_entropy",
  decay: float = 1.0,
  relative_step: float = 1.0,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Steps along a decaying sum of gradients, each at mean size 1; defaults are the paper's.

  It stops at the first image that fools the classifier.

  Args:
    steps: the most gradient steps.
    norm: "linf" or "l2".
    loss: "cross_entropy", "margin", "dlr" or a function (logits [K], label []) -> [].
    decay: share of the sum that the next step keeps.
    relative_step: length of all steps together, in units of epsilon; 2.5 in torchattacks (10 steps
      of 2/255 at 8/255), 3 in RoZ (20 steps of 0.15 epsilon).
    keep_going: take all steps, fooled or not, and return the iterate of the largest loss, for
      transfer to another model. Papers on transfer return the last iterate.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if norm not in ("linf", "l2"):
    raise errors.unknown("norm of mim", norm, ("linf", "l2"))
  return momentum.attack(
    "mim",
    momentum.plain,
    steps=steps,
    norm=norm,
    loss=loss,
    decay=decay,
    relative_step=relative_step,
    keep_going=keep_going,
    draws=draws,
  )
