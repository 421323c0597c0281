"""The strongest image of a search so far: one that fools before one that does not, then by loss."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct


@struct.dataclass
class Strongest:
  """The image, and what its evaluation said."""

  image: jax.Array  # [H, W, 3] float32.
  loss: jax.Array  # [] float32; -inf before the first evaluation.
  fooled: jax.Array  # [] bool.

  def after(self, image: jax.Array, loss: jax.Array, fooled: jax.Array) -> "Strongest":
    """The strongest after an image [H, W, 3] was evaluated, whose `loss` and `fooled` are []."""
    better = stronger(fooled, loss, self.fooled, self.loss)
    new = Strongest(image, loss, fooled)
    return jax.tree.map(lambda x, y: jnp.where(better, x, y), new, self)


def nothing(image: jax.Array) -> Strongest:
  """The strongest before the first evaluation, for which `image` [H, W, 3] stands in."""
  return Strongest(image, jnp.float32(-jnp.inf), jnp.bool_(False))


def stronger(fooled: Any, loss: Any, other_fooled: Any, other_loss: Any) -> jax.Array:
  """Whether the first of two images is the stronger, [] bool; see the top of this file."""
  return (fooled & ~other_fooled) | ((fooled == other_fooled) & (loss > other_loss))
