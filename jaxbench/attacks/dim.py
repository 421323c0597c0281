"""Input diversity with momentum, M-DI2-FGSM (Xie et al., 2019, arXiv:1803.06978)."""

import functools
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import losses, momentum


@functools.cache
def dim(
  *,
  steps: int = 10,
  loss: str | losses.Loss = "cross_entropy",
  decay: float = 1.0,
  relative_step: float = 1.0,
  probability: float = 0.5,
  rate: float = 0.9,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """`mim` in linf, with gradients through a random resize and padding of the image.

  Each example draws its own at every step. The other arguments are those of `mim`.

  Args:
    steps: each is a forward pass at the image, and a forward and a backward pass at its resize.
    decay: with 0, DI2-FGSM.
    probability: of a resize; else the gradient is taken at the image itself.
    rate: the smallest size, relative to the image's. The paper enlarges images instead, which
      classifiers of one fixed size cannot take.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  return momentum.attack(
    "dim",
    diverse(probability, rate),
    steps=steps,
    loss=loss,
    decay=decay,
    relative_step=relative_step,
    keep_going=keep_going,
    draws=draws,
    forwards=2,
    transforms=True,
  )


def diverse(probability: float, rate: float) -> momentum.Estimator:
  """The gradient through a random resize and padding.

  Raises:
    InputError: a value is out of range.
  """
  if not (0 < probability <= 1 and 0 < rate < 1):
    raise errors.InputError(
      f"input diversity needs probability in (0, 1] and rate in (0, 1), not {probability}, {rate}"
    )

  def estimate(
    loss_fn: momentum.LossFn, state: momentum.MomentumState, key: jax.Array
  ) -> momentum.Estimate:
    chance, place = jax.random.split(key)
    chosen = jax.random.bernoulli(chance, probability)
    size, corner = draw(place, state.image.shape[:2], rate)

    def through(image: jax.Array) -> tuple[jax.Array, jax.Array]:
      return loss_fn(jnp.where(chosen, resize_and_pad(image, size, corner), image))

    gradient, _ = jax.grad(through, has_aux=True)(state.image)
    return momentum.Estimate(*loss_fn(state.image), gradient)

  return estimate


def draw(key: jax.Array, shape: tuple[int, ...], rate: float) -> tuple[jax.Array, jax.Array]:
  """A smaller size and a corner for it inside `shape` (H, W), int32 [2] each."""
  sides, corners = jax.random.split(key)
  height = jax.random.randint(sides, (), max(int(rate * shape[0]), 1), shape[0])
  size = height * jnp.array(shape) // shape[0]
  # As in the authors' code, neither the full size nor the last corner is ever drawn.
  return size, jax.random.randint(corners, (2,), 0, jnp.array(shape) - size)


def resize_and_pad(image: jax.Array, size: jax.Array, corner: jax.Array) -> jax.Array:
  """`image` [H, W, 3] at another size [2], with its corner [2] there, on black.

  Torch's bilinear `interpolate` without `align_corners`, and zeros around it; but size and corner
  may be traced, since the shape stays.
  """
  scale = size.astype(jnp.float32) / np.array(image.shape[:2], np.float32)
  return jax.image.scale_and_translate(
    image, image.shape, (0, 1), scale, corner.astype(jnp.float32), "linear", antialias=False
  )
