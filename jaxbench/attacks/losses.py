"""What an attack makes larger, from one example's logits [K] and its label []."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxbench import errors

Loss = Callable[[jax.Array, jax.Array], jax.Array]


def cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
  """-log softmax at the label. Its gradient fades where the model is very sure."""
  return optax.softmax_cross_entropy_with_integer_labels(logits, label)


def margin(logits: jax.Array, label: jax.Array) -> jax.Array:
  """Largest other logit minus the label's: positive when fooled (Carlini & Wagner, 2017)."""
  others = jnp.where(jnp.arange(logits.size) == label, -jnp.inf, logits)
  return others.max() - logits[label]


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "margin": margin}


def get(loss: str | Loss) -> Loss:
  """The loss of that name; a function is taken as it is.

  Raises:
    InputError: there is no such loss.
  """
  if callable(loss):
    return loss
  if loss not in LOSSES:
    raise errors.unknown("loss", loss, LOSSES)
  return LOSSES[loss]
