"""What attacks that look for the smallest perturbation remember of their way."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp


def keep(state: Any, point: jax.Array, across: jax.Array, distance: jax.Array) -> Any:
  """The state, with `point` as its image if it is the nearest so far that fools.

  Args:
    state: of one example; `distance` is that of the nearest so far, inside the ball or not, and
      `image` is that one if it is inside, else the clean image.
    point: [H, W, 3] float32 in [0, 1].
    across: [] bool, whether it fools.
    distance: [] float32, from it to the clean image.
  """
  closer = across & (distance < state.distance)
  inside = closer & (distance <= state.epsilon)
  return dataclasses.replace(
    state,
    image=jnp.where(inside, point, state.image),
    distance=jnp.where(closer, distance, state.distance),
    fooled=state.fooled | inside,
  )
