"""Test-time ensembling (Perez et al., 2021: "Enhancing adversarial robustness via test-time
transformation ensembling", arXiv:2107.14110).

Deterministic once it is made, and differentiable: its authors attack it whole, with AutoAttack.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.defences import base
from jaxbench.defences.base import Cost, Defence

View = tuple[bool, tuple[int, int] | None]  # Whether it is mirrored; where it is cut from.


@struct.dataclass
class TTE(Defence):
  """The mean of the logits of several views."""

  views: tuple[View, ...] = struct.field(pytree_node=False)
  weights: tuple[int, ...] = struct.field(pytree_node=False)  # Of each view.
  padding: int = struct.field(pytree_node=False)

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    logits = jnp.stack([self.answer(self.view(image, view), key) for view in self.views])
    shares = jnp.asarray(self.weights, jnp.float32) / sum(self.weights)
    return shares @ logits

  def view(self, image: jax.Array, view: View) -> jax.Array:
    """[H, W, 3] -> the same."""
    mirrored, corner = view
    if corner is not None:
      height, width, _ = image.shape
      row, column = corner
      padded = jnp.pad(image, ((self.padding,) * 2, (self.padding,) * 2, (0, 0)))
      image = padded[row : row + height, column : column + width]
    return image[:, ::-1] if mirrored else image

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(len(self.views))


def tte(
  classifier: Any,
  *,
  flip: bool = True,
  crops: int = 4,
  padding: int = 4,
  backward: str = "exact",
  compat: str = "clean",
  seed: int = 0,
) -> TTE:
  """The mean of the logits of an image, its mirror image, and crops with theirs.

  Args:
    classifier: a pytree callable, images -> logits.
    flip: whether mirror images are views.
    crops: how many, each shifted within a margin of zeros; drawn once, here.
    padding: width of the margin, in pixels: 4 at 32 a side.
    backward: see `Defence`; all three are the same, for all is linear.
    compat: "clean" has as many different crops as are asked for; "official" has the last of them so
      often, because there the loop that makes them binds late.
    seed: of the crops.

  Raises:
    InputError: a value is out of range, a name unknown, or there are not so many crops.
  """
  base.check("tte", backward=backward, compat=compat, crops=(crops, 0), padding=(padding, 1))
  places = (2 * padding) ** 2
  if crops > places:
    raise errors.InputError(
      f"tte: a padding of {padding} has {places} different crops, not {crops}"
    )
  drawn = np.random.default_rng(seed).choice(places, crops, replace=False)
  corners = [(int(at) // (2 * padding), int(at) % (2 * padding)) for at in drawn]
  counts = [1] * crops
  if compat == "official" and crops:
    corners, counts = corners[-1:], [crops]
  mirrors = (False, True) if flip else (False,)
  views: list[View] = [(mirrored, None) for mirrored in mirrors]
  views += [(mirrored, corner) for mirrored in mirrors for corner in corners]
  weights = [1] * len(mirrors) + counts * len(mirrors)
  return TTE(classifier, backward, seed, tuple(views), tuple(weights), padding)
