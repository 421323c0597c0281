"""A universal perturbation, and images with it."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors

LINF, L2, PATCH = "linf", "l2", "patch"


@struct.dataclass
class Universal:
  """A perturbation of one size, for images in [0, 1].

  Example:
    >>> perturbation = universal.load("hanxunh/xtransfer_large_linf_eps12_non_targeted")
    >>> shown = universal.apply(perturbation, images, epsilon=8 / 255)
  """

  delta: jax.Array  # [H, W, 3] float32 in pixel units; of a patch what the pixels become.
  mask: jax.Array | None  # [H, W, 1] of 0 and 1: where a patch is.
  epsilon: float | None = struct.field(
    pytree_node=False
  )  # Radius that it was learnt in, if in one.
  norm: str = struct.field(pytree_node=False)  # LINF, L2 or PATCH.
  told: dict[str, Any] = struct.field(pytree_node=False)  # How it was learnt, as its file says.

  @property
  def side(self) -> int:
    """Pixels of a side: the size that images are perturbed at."""
    return self.delta.shape[0]

  def __hash__(self) -> int:
    """By identity: a perturbation is loaded once."""
    return id(self)


def apply(
  perturbation: Universal, images: jax.Array, epsilon: jax.typing.ArrayLike | None = None
) -> jax.Array:
  """Images with the perturbation, in [0, 1].

  Another radius than the one that it was learnt in scales it, as its authors do, and cuts it off
  there. Images of another size have it resized bilinearly; a patch has one size.

  Args:
    perturbation: as `load` or `learn` gives it.
    images: [..., H, W, 3] float32 in [0, 1].
    epsilon: a radius of linf, in [0, 1] pixel units; by default its own. l2 and patches have none.

  Raises:
    InputError: it has no radius, or a patch is for images of another size.
  """
  side = images.shape[-3:-1]
  if perturbation.mask is not None:
    if side != perturbation.mask.shape[:2]:
      raise errors.InputError(f"the patch is for images of {perturbation.side} pixels, not {side}")
    patch = jnp.broadcast_to(perturbation.delta, images.shape)
    return jnp.where(jnp.broadcast_to(perturbation.mask > 0, images.shape), patch, images)
  change = jnp.broadcast_to(_scaled(perturbation, side, epsilon), images.shape)
  return jnp.clip(images + change, 0.0, 1.0)


def _scaled(
  perturbation: Universal, side: tuple[int, ...], epsilon: jax.typing.ArrayLike | None
) -> jax.Array:
  """[H, W, 3] within the radius."""
  delta = perturbation.delta
  if side != delta.shape[:2]:
    delta = jax.image.resize(delta, (*side, 3), "bilinear", antialias=False)
  if perturbation.epsilon is None:
    if epsilon is not None:
      raise errors.InputError("this perturbation was learnt in no radius: it has one strength")
    return delta
  radius = jnp.float32(perturbation.epsilon if epsilon is None else epsilon)
  return jnp.clip(delta * (radius / perturbation.epsilon), -radius, radius)
