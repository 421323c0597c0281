"""Functions of one example that a CPU had better finish before it starts the next."""

from collections.abc import Callable
from typing import Any

import jax
from jax.custom_batching import sequential_vmap


def in_turn(function: Callable[..., Any]) -> Callable[..., Any]:
  """The same function; under `vmap` on a CPU, one example after another.

  An image that is read again and again then stays in the cache, and slices that start elsewhere in
  each example stay slices.
  """

  @jax.custom_vjp  # The sequential rule has no derivative of its own.
  def run(*arguments: Any) -> Any:
    return jax.lax.platform_dependent(*arguments, cpu=sequential_vmap(function), default=function)

  def forward(*arguments: Any) -> tuple[Any, Any]:
    return run(*arguments), arguments

  def backward(arguments: Any, cotangents: Any) -> Any:
    return jax.vjp(function, *arguments)[1](cotangents)

  run.defvjp(forward, backward)
  return run
