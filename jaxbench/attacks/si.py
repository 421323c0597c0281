"""SI-NI-FGSM, the scale-invariant attack (Lin et al., 2020, arXiv:1908.06281, algorithm 1)."""

import functools
from typing import Annotated

import jax
import numpy as np

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import losses, momentum


@functools.cache
def si(
  *,
  steps: int = 10,
  loss: str | losses.Loss = "cross_entropy",
  decay: float = 1.0,
  relative_step: float = 1.0,
  copies: int = 5,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """`mim` in linf, with the mean gradient of darker copies of a point ahead.

  The point ahead is where the momentum alone would lead, as in `ni`. The other arguments are those
  of `mim`.

  Args:
    steps: each is a forward pass at the image, and a forward and a backward pass for each copy.
    copies: of the point, times 1, 1/2, 1/4 and so on. Zero is black, as in torchattacks; in the
      authors' code, whose images are in [-1, 1], it is grey.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if copies < 1:
    raise errors.InputError(f"si needs copies >= 1, not {copies}")
  scales = 0.5 ** np.arange(copies, dtype=np.float32)

  def estimate(
    loss_fn: momentum.LossFn, state: momentum.MomentumState, key: jax.Array
  ) -> momentum.Estimate:
    # Not projected: it may leave the ball and the box.
    ahead = state.image + decay * state.step_size * state.momentum

    def gradient(scale: jax.Array) -> jax.Array:
      return jax.grad(lambda point: loss_fn(scale * point), has_aux=True)(ahead)[0]

    # One copy after another: all at once would not fit.
    gradients = jax.lax.map(gradient, scales)
    return momentum.Estimate(*loss_fn(state.image), gradients.mean(axis=0))

  return momentum.attack(
    "si",
    estimate,
    steps=steps,
    loss=loss,
    decay=decay,
    relative_step=relative_step,
    keep_going=keep_going,
    draws=draws,
    forwards=copies + 1,
    backwards=copies,
    transforms=True,
  )
