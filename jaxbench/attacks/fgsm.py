"""The fast gradient sign method (Goodfellow et al., 2015, arXiv:1412.6572)."""

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp

from jaxbench.attacks import losses
from jaxbench.attacks.base import Attack, Classifier
from jaxbench.attacks.pgd import PGDState, pgd


@functools.cache
def fgsm(
  *,
  norm: str = "linf",
  loss: str | losses.Loss = "cross_entropy",
  keep_going: bool = False,
) -> Attack:
  """One step of full length from the image itself.

  Args:
    norm: "linf" (the paper's) or "l2".
    loss: "cross_entropy", "margin" or a function (logits [K], label []) -> [].
    keep_going: take the step even where the image itself fools, for transfer to another model,
      and return the image of the larger loss.

  Both images are looked at, which makes it two steps.
  """
  attack = pgd(
    steps=2,
    norm=norm,
    loss=loss,
    random_start=False,
    relative_step=2.0,  # Of both steps together: each moves by epsilon.
    keep_going=keep_going,
  )

  if keep_going:
    return attack._replace(monotone=False)

  def step(classifier: Classifier, state: PGDState) -> PGDState:
    """The second one only looks, so that a bisection knows whether the result fools."""
    seen: Any = attack.step(classifier, state)
    image = jnp.where(state.count == 1, state.image, seen.image)
    return dataclasses.replace(seen, image=image)

  return attack._replace(step=step, monotone=False)
