"""Classifiers whose classes are groups of another classifier's classes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.models.parts.layers import require_floats

POOLS = ("max", "mean")


@struct.dataclass
class Pooled:
  """A pytree callable: images float32 [B, H, W, 3] in [0, 1] -> logits float32 [B, K]."""

  classifier: Any  # Its logits are [B, P].
  members: jax.Array  # [G, M] int32 in 0..P-1: the groups that are not empty, filled up.
  share: jax.Array  # [G, M] float32, one over the size of the group; 0 of a filling.
  rows: jax.Array  # [K] int32, which group a class is; G where it has none.
  pool: str = struct.field(pytree_node=False)
  least: int = struct.field(pytree_node=False)  # The fewest logits that hold all members.

  def __call__(self, images: jax.Array, **key: jax.Array) -> jax.Array:
    """Logits of the groups; `key` is for a randomised classifier."""
    require_floats(images)
    logits = self.classifier(images, **key)
    if logits.shape[-1] < self.least:  # Indices out of range would be clamped in silence.
      raise errors.InputError(
        f"a group holds class {self.least - 1}, the classifier has {logits.shape[-1]} classes"
      )
    logits = logits[:, self.members]  # [B, G, M].
    if self.pool == "max":
      groups = jnp.max(logits, axis=-1, initial=-jnp.inf, where=self.share > 0)
    else:
      groups = jax.nn.logsumexp(logits, axis=-1, b=self.share[None])
    # Not -inf, which gradients and the checks of attacks would stumble over.
    lowest = groups.min(axis=-1, keepdims=True)
    return jnp.concatenate([groups, lowest], axis=-1)[:, self.rows]

  @property
  def random(self) -> bool:
    """See `Resized`."""
    return getattr(self.classifier, "random", False)

  def compute_in(self, dtype: str) -> "Pooled":
    """See `models.compute_in`."""
    return dataclasses.replace(self, classifier=self.classifier.compute_in(dtype))


def pooled(classifier: Any, groups: Sequence[Sequence[int]], pool: str = "max") -> Pooled:
  """`classifier` over K coarser or fewer classes.

  Args:
    classifier: a pytree callable with logits [B, P].
    groups: of each of the K classes, which of the P count as it. A class without any gets the
      lowest logit of the others, so that it is never predicted.
    pool: "max", the largest logit of the group (Taori et al., 2020, arXiv:2007.00644); or "mean",
      the logarithm of the mean probability, up to an offset (Geirhos et al., 2019).

  Raises:
    InputError: all groups are empty, a member is negative, or there is no such pool; when called,
      if the classifier lacks a member.

  Example:
    >>> animals = models.pooled(resnet50, [(281, 282, 283, 284, 285), (207, 208)])
  """
  if pool not in POOLS:
    raise errors.unknown("pool", pool, POOLS)
  filled = [np.asarray(group, np.int32) for group in groups if len(group)]
  if not filled:
    raise errors.InputError("pooled needs at least one class with a member")
  flat = np.concatenate(filled)
  if flat.min() < 0:
    raise errors.InputError(f"a group holds class {flat.min()}; classes are counted from 0")
  sizes = np.array([len(group) for group in filled])[:, None]
  inside = np.arange(sizes.max()) < sizes
  members = np.zeros(inside.shape, np.int32)
  members[inside] = flat
  share = (inside / sizes).astype(np.float32)
  has = np.array([len(group) > 0 for group in groups])
  rows = np.where(has, np.cumsum(has) - 1, len(filled)).astype(np.int32)
  return Pooled(
    classifier,
    members=jnp.asarray(members),
    share=jnp.asarray(share),
    rows=jnp.asarray(rows),
    pool=pool,
    least=int(flat.max()) + 1,
  )
