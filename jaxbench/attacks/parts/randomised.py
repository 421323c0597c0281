"""A loss on a randomised classifier: its mean over draws (EOT; Athalye et al., 1707.07397)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbench import errors
from jaxbench.attacks.base import logits_of

LossFn = Callable[[jax.Array], tuple[jax.Array, jax.Array]]  # Image -> its loss [], logits [K].


def loss_fn(
  value_of: Callable[[jax.Array], jax.Array], classifier: Any, key: jax.Array, draws: int
) -> LossFn:
  """A function of an image [H, W, 3]: the loss and the logits, or their means over draws.

  Args:
    value_of: the loss [] of logits [K].
    classifier: called without a key for one draw.
    key: of this evaluation alone.
    draws: how many; one after another, because many at once would not fit, and each computed again
      for its gradient.
  """

  def once(image: jax.Array, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    logits = logits_of(classifier, image, key)
    return value_of(logits), logits

  def mean(image: jax.Array) -> tuple[jax.Array, jax.Array]:
    again = jax.checkpoint(once, prevent_cse=False)
    keys = jax.random.split(key, draws)
    values, logits = jax.lax.map(lambda key: again(image, key), keys)
    return values.mean(), logits.mean(axis=0)

  return mean if draws > 1 else lambda image: once(image, None)


def logits_fn(classifier: Any, key: jax.Array, draws: int) -> Callable[[jax.Array], jax.Array]:
  """A function of an image [H, W, 3]: logits [K], or their means; arguments as of `loss_fn`."""
  both = loss_fn(lambda logits: jnp.float32(0), classifier, key, draws)
  return lambda image: both(image)[1]


def check(attack: str, draws: int) -> None:
  """Raises InputError for a number of draws that is none."""
  if draws < 1:
    raise errors.InputError(f"{attack} needs draws >= 1, not {draws}")
