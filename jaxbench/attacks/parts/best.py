"""What attacks that look for the smallest perturbation remember of their way."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxbench.attacks.base import Example
from jaxbench.attacks.parts import losses
from jaxbench.attacks.parts.norms import Norm

_BARELY = 1.01  # What an image is charged that fools by no more than rounding might.


def cost(ball: Norm, example: Example, point: jax.Array, logits: jax.Array) -> jax.Array:
  """By which images that fool are compared, [] float32: their distance, clear ones first.

  Args:
    ball: its norm.
    example: what is attacked.
    point: [H, W, 3] float32 in [0, 1].
    logits: [K] float32, of it.
  """
  distance = ball.size(point - example.clean)
  return jnp.where(losses.clear(logits, example.label), distance, _BARELY * distance)


def keep(ball: Norm, state: Any, point: jax.Array, logits: jax.Array, across: jax.Array) -> Any:
  """The state, with `point` as its image if it is the best so far that fools.

  Args:
    ball: its norm.
    state: of one example; `distance` is the cost of the best so far, inside the ball or not, and
      `image` is the best inside, else the clean image.
    point: [H, W, 3] float32 in [0, 1].
    logits: [K] float32, of it.
    across: [] bool, whether it fools.
  """
  price = cost(ball, state.example, point, logits)
  closer = across & (price < state.distance)
  inside = across & (ball.size(point - state.example.clean) <= state.example.epsilon)
  taken = inside & (closer | ~state.progress.fooled)
  fooled = state.progress.fooled | inside
  return dataclasses.replace(
    state,
    image=jnp.where(taken, point, state.image),
    distance=jnp.where(closer, price, state.distance),
    progress=dataclasses.replace(state.progress, fooled=fooled),
  )
