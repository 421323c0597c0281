"""A loss that knows no label: how far the outputs have moved from those of the clean image.

On embeddings it is what FARE trains against (Schlarmann et al., 2024, arXiv:2402.12336, equation
3): an attacker of the image encoder alone, who knows neither prompts nor classes.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxbench import errors
from jaxbench.attacks.base import logits_of
from jaxbench.attacks.parts import losses

NAME = "distance"


def check(attack: str, loss: str | losses.Loss, *, usable: bool) -> None:
  """Raises InputError for an unknown loss, or for "distance" where it is not `usable`."""
  if loss != NAME:
    losses.get(loss)
  elif not usable:
    raise errors.InputError(
      f"{attack}: the loss {NAME!r} takes no target, one draw and a random start (at the clean "
      "image it has no gradient)"
    )


def bind(loss: str | losses.Loss, classifier: Any, clean: jax.Array) -> losses.Loss:
  """`loss` as a function of outputs and label; "distance" evaluates `clean`, [H, W, 3], once."""
  if loss != NAME:
    return losses.get(loss)
  outputs = jax.lax.stop_gradient(logits_of(classifier, clean))
  return lambda logits, label: jnp.sum((logits - outputs) ** 2)


def fooled(loss: str | losses.Loss, logits: jax.Array, label: jax.Array) -> jax.Array:
  """Whether the classifier is fooled, [] bool; of outputs that are no logits nobody knows."""
  return jnp.bool_(False) if loss == NAME else losses.fooled(logits, label)


def forwards(loss: str | losses.Loss) -> int:
  """Forward passes of `bind`."""
  return int(loss == NAME)
