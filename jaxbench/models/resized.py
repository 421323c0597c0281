"""Classifiers that take images of any size and resize them inside."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.models.parts.layers import require_floats


@struct.dataclass
class Resized:
  """A pytree callable: images float32 [B, H, W, 3] in [0, 1] of any size -> logits [B, K]."""

  classifier: Any
  size: int = struct.field(pytree_node=False)  # Pixels, of both sides.

  def __call__(self, images: jax.Array, **key: jax.Array) -> jax.Array:
    """Logits of the images at the classifier's own size; `key` is for a randomised one."""
    return self.classifier(resize_images(images, self.size), **key)

  @property
  def random(self) -> bool:
    """Whether it is called with a key, on which its logits depend."""
    return getattr(self.classifier, "random", False)

  @property
  def same_as(self) -> jax.Array | None:
    """See `ZeroShot`."""
    return getattr(self.classifier, "same_as", None)

  def compute_in(self, dtype: str) -> "Resized":
    """See `models.compute_in`."""
    return dataclasses.replace(self, classifier=self.classifier.compute_in(dtype))


def resized(classifier: Any, size: int) -> Resized:
  """`classifier` for images of any size, so that gradients reach their own pixels.

  Args:
    classifier: a pytree callable for images of `size` x `size`.
    size: in pixels; images of this size are left alone.

  Raises:
    InputError: the size is not a whole number of pixels.

  Example:
    >>> resnet = models.load("digits-resnet")
    >>> models.resized(resnet, resnet.preprocess.size)(images)
  """
  if not isinstance(size, int) or size < 1:
    raise errors.InputError(f"resized needs a size of at least one pixel, not {size!r}")
  return Resized(classifier, size)


def resize_images(images: jax.Array, size: int) -> jax.Array:
  """Float32 [B, H, W, 3] in [0, 1] -> [B, size, size, 3], bicubic, antialiased."""
  require_floats(images)
  if images.shape[1:3] == (size, size):
    return images
  # Bicubic overshoots: without the clip a white edge would leave [0, 1].
  return jnp.clip(jax.image.resize(images, (len(images), size, size, 3), "cubic"), 0, 1)
