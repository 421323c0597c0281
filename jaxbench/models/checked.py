"""Checked mode: a classifier that refuses images outside [0, 1]."""

from collections.abc import Callable

import jax
from jax.experimental import checkify

from jaxbench import errors


def checked(classifier: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
  """`classifier`, raising InputError where its images are not in [0, 1].

  The check waits for the device, so it is for debugging; jitted code never pays for it.

  Example:
    >>> logits = checked(classifier)(images)
  """
  program = jax.jit(checkify.checkify(lambda model, images: model(images)))

  def call(images: jax.Array) -> jax.Array:
    error, logits = program(classifier, images)
    if message := error.get():
      raise errors.InputError(message.split(" (`check`")[0])
    return logits

  return call
