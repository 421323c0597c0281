"""Scalar equations that projections come down to, without sorting the pixels."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

_INFINITY = 0x7F800000  # Its bits.
_MOST_STEPS = 100  # Newton needs 5 to 15; this only bounds a loop that rounding keeps alive.


def newton(
  function: Callable[[jax.Array], tuple[jax.Array, jax.Array]], target: jax.Array
) -> jax.Array:
  """The x >= 0 where a monotone piecewise linear function meets `target`, or 0 if it is past it.

  From 0, Newton's steps on a function that is convex and falling, or concave and rising, never
  pass the solution, and end at it exactly when they reach its piece.

  Args:
    function: x [] -> value [] and slope [] at x; slope 0 ends the search.
    target: [] float32.
  """

  def step(state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    x, _, count = state
    value, slope = function(x)
    gap = jnp.where(slope != 0, (target - value) / jnp.where(slope != 0, slope, 1.0), 0.0)
    return jnp.maximum(x + gap, x), x, count + 1

  def moving(state: tuple[Any, Any, Any]) -> jax.Array:
    x, before, count = state
    return (x > before) & (count < _MOST_STEPS)

  start = (jnp.float32(0), jnp.float32(-1), jnp.int32(0))
  return jax.lax.while_loop(moving, step, start)[0]


def smallest(enough: Callable[[jax.Array], jax.Array]) -> jax.Array:
  """The smallest float32 >= 0 that is enough, if all larger ones are: exact, in 31 trials.

  Such floats are ordered as their bits, which are found one by one.
  """

  def settle(place: jax.Array, bits: jax.Array) -> jax.Array:
    """The int32 bits with the one at `place` of 31, counted from the highest, as it has to be."""
    trial = bits | (jnp.int32(1) << (30 - place))
    below = jax.lax.bitcast_convert_type(trial - 1, jnp.float32)
    # A trial above infinity is no number.
    return jnp.where((trial <= _INFINITY) & ~enough(below), trial, bits)

  bits = jax.lax.fori_loop(0, 31, settle, jnp.int32(0))
  return jax.lax.bitcast_convert_type(bits, jnp.float32)


def order_statistic(values: jax.Array, rank: jax.Array) -> jax.Array:
  """The value at `rank` (0 is the smallest) of float32 values >= 0, cheaper than a sort of many."""
  return smallest(lambda value: (values <= value).sum() > rank)
