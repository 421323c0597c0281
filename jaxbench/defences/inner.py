"""The loop inside of defences that move an image by signs of gradients before they answer."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbench.defences.base import bounded


class Path(NamedTuple):
  """What the loop went through."""

  deltas: jax.Array  # [steps + 1, H, W, 3] float32: the start first.
  values: jax.Array  # [steps] float32: the objective before each step.


def ascend(
  objective: Callable[[jax.Array], jax.Array],
  image: jax.Array,
  start: jax.Array,
  *,
  steps: int,
  step: float,
  radius: float,
  box: bool = True,
  soft: bool = False,
) -> Path:
  """Climbs an objective by signs of its gradient, inside a ball of linf.

  A pass backward through the loop keeps one delta for each step and computes the rest again.

  Args:
    objective: of an image [H, W, 3] -> [].
    image: [H, W, 3] float32 in [0, 1].
    start: the first delta, [H, W, 3], inside the ball.
    steps: how many.
    step: length of one, in pixel units.
    radius: of the ball, in pixel units.
    box: whether image and delta together stay in [0, 1].
    soft: whether signs have the slope of a tanh.
  """
  signs = soft_sign if soft else jnp.sign

  def climb(delta: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    value, slope = jax.value_and_grad(objective)(image + delta)
    moved = bounded(delta + step * signs(slope), -radius, radius)
    moved = inside(image, moved) if box else moved
    return moved, (moved, value)

  again = jax.checkpoint(climb, prevent_cse=False)  # In a scan nothing else needs to be prevented.
  _, (path, values) = jax.lax.scan(again, start, None, length=steps)
  return Path(jnp.concatenate([start[None], path]), values)


def inside(image: jax.Array, delta: jax.Array) -> jax.Array:
  """The delta with which the image stays in [0, 1]."""
  return bounded(delta, -image, 1 - image)


def uniform(key: jax.Array, image: jax.Array, radius: float) -> jax.Array:
  """A uniform delta in the ball of linf and the box around the image."""
  return inside(image, jax.random.uniform(key, image.shape, image.dtype, -radius, radius))


@jax.custom_jvp
def soft_sign(slope: jax.Array) -> jax.Array:
  """Signs, with the derivatives of tanh(slope / s), where s is the median size of the slope."""
  return jnp.sign(slope)


@soft_sign.defjvp
def _soft_sign_jvp(
  primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
  (slope,), (tangent,) = primals, tangents
  size = jnp.maximum(jnp.median(jnp.abs(slope)), jnp.finfo(slope.dtype).tiny)
  return jnp.sign(slope), (1 - jnp.tanh(slope / size) ** 2) / size * tangent
