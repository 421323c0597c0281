"""The fast gradient sign method (Goodfellow et al., 2015, arXiv:1412.6572)."""

import functools
from typing import Annotated

from jaxbench import spec
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import losses
from jaxbench.attacks.pgd import pgd


@functools.cache
def fgsm(
  *,
  norm: str = "linf",
  loss: str | losses.Loss = "cross_entropy",
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """One step of full length from the image itself.

  Args:
    norm: "linf" (the paper's) or "l2".
    loss: "cross_entropy", "margin" or a function (logits [K], label []) -> [].
    keep_going: take the step even where the image itself fools, for transfer to another model,
      and return the image of the larger loss, which needs a second evaluation.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  steps = 2 if keep_going else 1
  attack = pgd(
    steps=steps,
    norm=norm,
    loss=loss,
    random_start=False,
    relative_step=float(steps),  # Of all steps together: each moves by epsilon.
    keep_going=keep_going,
    draws=draws,
  )
  return attack._replace(monotone=False)
