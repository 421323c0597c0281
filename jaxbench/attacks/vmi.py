"""VMI-FGSM, variance tuning (Wang & He, 2021, arXiv:2103.15571, algorithm 1)."""

import functools
from typing import Annotated

import jax
import jax.numpy as jnp

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import losses, momentum, norms


@functools.cache
def vmi(
  *,
  steps: int = 10,
  loss: str | losses.Loss = "cross_entropy",
  decay: float = 1.0,
  relative_step: float = 1.0,
  neighbors: int = 5,
  beta: float = 1.5,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """`mim` in linf, with each gradient corrected by the neighbourhood of the image before.

  The correction is the mean gradient at random neighbours, minus the one at the image itself. The
  other arguments are those of `mim`.

  Args:
    steps: each is a forward and a backward pass at the image and at each neighbour.
    neighbors: 5 as in torchattacks; 20 in the paper.
    beta: their largest distance, in units of epsilon.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if neighbors < 1 or beta <= 0:
    raise errors.InputError(f"vmi needs neighbors >= 1 and beta > 0, not {neighbors}, {beta}")
  sample = norms.get("linf").sample

  def estimate(
    loss_fn: momentum.LossFn, state: momentum.MomentumState, key: jax.Array
  ) -> momentum.Estimate:
    def gradient(key: jax.Array) -> jax.Array:
      # Not projected: it may leave the ball and the box.
      neighbor = state.image + sample(key, state.image, beta * state.example.epsilon)
      return jax.grad(loss_fn, has_aux=True)(neighbor)[0]

    estimated = momentum.plain(loss_fn, state, key)
    # One neighbour after another: all at once would not fit.
    around = jax.lax.map(gradient, jax.random.split(key, neighbors)).mean(axis=0)
    return estimated._replace(
      gradient=estimated.gradient + state.memory,
      memory=around - estimated.gradient,
    )

  return momentum.attack(
    "vmi",
    estimate,
    steps=steps,
    loss=loss,
    decay=decay,
    relative_step=relative_step,
    keep_going=keep_going,
    draws=draws,
    forwards=1 + neighbors,
    backwards=1 + neighbors,
    remember=jnp.zeros_like,
  )
