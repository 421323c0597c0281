"""The translation-invariant attack (Dong et al., 2019, arXiv:1904.02884)."""

import functools
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack
from jaxbench.attacks.dim import diverse
from jaxbench.attacks.parts import losses, momentum

_REACH = 3.0  # Standard deviations from the kernel's centre to its border.


@functools.cache
def tim(
  *,
  steps: int = 10,
  loss: str | losses.Loss = "cross_entropy",
  decay: float = 1.0,
  relative_step: float = 1.0,
  kernel: int = 15,
  probability: float = 0.0,
  rate: float = 0.9,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """`mim` in linf, with smoothed gradients: about those of all small translations of the image.

  The other arguments are those of `mim`.

  Args:
    kernel: side of the Gaussian kernel in pixels, odd; three standard deviations reach its border.
    probability: of taking the gradient through a random resize, as in `dim`. 0 is the paper's
      TI-MI-FGSM, 0.5 its TI-DIM.
    rate: the smallest size, as in `dim`.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if kernel < 3 or kernel % 2 == 0:
    raise errors.InputError(f"tim needs an odd kernel >= 3, not {kernel}")
  inner = diverse(probability, rate) if probability else momentum.plain

  def estimate(
    loss_fn: momentum.LossFn, state: momentum.MomentumState, key: jax.Array
  ) -> momentum.Estimate:
    estimated = inner(loss_fn, state, key)
    return estimated._replace(gradient=smooth(estimated.gradient, kernel))

  return momentum.attack(
    "tim",
    estimate,
    steps=steps,
    loss=loss,
    decay=decay,
    relative_step=relative_step,
    keep_going=keep_going,
    draws=draws,
    forwards=2 if probability else 1,
    transforms=probability > 0,
  )


def smooth(gradient: jax.Array, side: int) -> jax.Array:
  """`gradient` [H, W, 3], each channel convolved with a Gaussian kernel, zero outside."""
  rows, columns = (_band(length, side) for length in gradient.shape[:2])
  # The kernel is a product of two: matrix products are much faster than a convolution.
  return jnp.einsum("ij,kl,jlc->ikc", rows, columns, gradient)


def _band(length: int, side: int) -> np.ndarray:
  """The matrix float32 [length, length] that convolves one line."""
  half = side // 2

  def density(offsets: np.ndarray) -> np.ndarray:
    return np.exp(-np.square(offsets * _REACH / half) / 2)

  apart = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
  total = density(np.arange(-half, half + 1)).sum()
  return np.where(apart <= half, density(apart) / total, 0.0).astype(np.float32)
