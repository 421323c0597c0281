"""Checked mode: a classifier that refuses images outside [0, 1]."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbench import errors


def checked(classifier: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
  """`classifier`, raising InputError where its images are not in [0, 1].

  The check waits for the device, so it is for debugging; jitted code never pays for it.

  Example:
    >>> logits = checked(classifier)(images)
  """

  def call(images: jax.Array) -> jax.Array:
    if not jnp.all((images >= 0) & (images <= 1)):
      raise errors.InputError("images must be in [0, 1]; do not normalise them")
    return classifier(images)

  return call
