"""What an attack is to reach, where it is more or something else than another class.

An attack on an aimed classifier sees two logits: that the goal is not reached, which is its label,
and that it is, which leads by the goal's margin. So every attack is one for every goal.
"""

import abc
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from numpy.typing import ArrayLike

from jaxbench import errors
from jaxbench.attacks.parts import losses


class Goal(abc.ABC):
  """A pytree: what is to come of one example's logits [K] and its label []."""

  # Margins up to this are ties, which reach nothing; in logits.
  tolerance: jax.Array | float = 0.0

  @abc.abstractmethod
  def margin(self, logits: jax.Array, label: jax.Array) -> jax.Array:
    """[] float32, positive where the goal is reached; it is ascended."""

  def excess(self, logits: jax.Array, label: jax.Array) -> jax.Array:
    """The margin beyond what is a tie; infinite where a logit is no number, as in all verdicts."""
    finite = jnp.isfinite(logits).all()
    return jnp.where(finite, self.margin(logits, label) - self.tolerance, jnp.inf)


@struct.dataclass
class Misclassify(Goal):
  """Another class than the label is predicted."""

  def margin(self, logits: jax.Array, label: jax.Array) -> jax.Array:
    """See `Goal`: by how much the largest other logit leads."""
    return losses.margin(logits, label)


@struct.dataclass
class Beyond(Goal):
  """No item of one's own is among the first k."""

  owners: jax.Array  # [K] int32: the label of each logit.
  tolerance: jax.Array | float = 0.0
  k: int = struct.field(pytree_node=False, default=1)

  def margin(self, logits: jax.Array, label: jax.Array) -> jax.Array:
    """See `Goal`: by how much the k-th item of others leads the best own one."""
    own = self.owners == label
    foreign = jnp.where(own, -jnp.inf, logits)
    best = jnp.where(own, logits, -jnp.inf).max()
    return jax.lax.top_k(foreign, self.k)[0][-1] - best


@struct.dataclass
class Pair(Goal):
  """Of some logits, of which one should lead, another does."""

  positive: jax.Array  # int32 [L]: by label, the logit that should lead.
  negative: jax.Array  # int32 [L] or [L, M]: by label, the one or ones that should not.
  tolerance: jax.Array | float = 0.0

  def margin(self, logits: jax.Array, label: jax.Array) -> jax.Array:
    """See `Goal`: by how much the largest wrong logit leads the right one."""
    return logits[self.negative[label]].max() - logits[self.positive[label]]


@struct.dataclass
class Towards(Goal):
  """One class is predicted."""

  # int32: [], or by label; None where labels are themselves what is to be predicted.
  target: jax.Array | None

  def margin(self, logits: jax.Array, label: jax.Array) -> jax.Array:
    """See `Goal`: by how much it leads all others."""
    target = label if self.target is None else self.target
    return -losses.margin(logits, target[label] if target.ndim else target)


def misclassify() -> Misclassify:
  """What attacks do without a goal, but for their losses: the margin is all they see."""
  return Misclassify()


def beyond(k: int, owners: ArrayLike, tolerance: float = 0.0) -> Beyond:
  """Retrieval: the best own item has k items of others before it, so that recall at k is lost.

  Args:
    k: of recall at k.
    owners: [K] integers, the label that each logit belongs to. Those of the label itself are left
      out, and ties do not count.
    tolerance: of ties, in logits.

  Raises:
    InputError: there are not so many items of others.
  """
  places = np.asarray(owners, np.int32)
  most = len(places) - int(np.bincount(places).max(initial=0))
  if not isinstance(k, int) or not 1 <= k <= most:
    raise errors.InputError(f"beyond: k={k!r} is not in 1..{most}, as many as others always have")
  return Beyond(jnp.asarray(places), jnp.float32(tolerance), k)


def pair(negative: ArrayLike, positive: ArrayLike | None = None, tolerance: float = 0.0) -> Pair:
  """Of each label the logit that is to lead, and the one that it is to lead.

  Args:
    negative: integers [L], by label: a caption that is wrong; or [L, M], several.
    positive: integers [L], the one that is right; by default the label itself.
    tolerance: of ties, in logits; a negative one counts ties as a success.

  Raises:
    InputError: they are not as many.
  """
  wrong = np.asarray(negative, np.int32)
  right = np.arange(len(wrong)) if positive is None else np.asarray(positive)
  if wrong.shape[:1] != right.shape:
    raise errors.InputError(f"pair: {wrong.shape} wrong logits and {right.shape} right ones")
  return Pair(jnp.asarray(right, jnp.int32), jnp.asarray(wrong), jnp.float32(tolerance))


def towards(target: ArrayLike) -> Towards:
  """A targeted attack: only that one class counts as a success.

  Args:
    target: an integer, or one for each label; for one of each image see `targets` of `run`.
  """
  return Towards(jnp.asarray(target, jnp.int32))


@struct.dataclass
class Aimed:
  """A classifier with what an attack on it is to reach; called, it is the classifier."""

  classifier: Any
  goal: Any

  def __call__(self, images: jax.Array) -> jax.Array:
    """Logits [B, K] of images [B, H, W, 3]."""
    return self.classifier(images)

  def excess(self, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """[B] float32, see `Goal.excess`; logits are [B, K], labels [B] or []."""
    axes = 0, 0 if labels.ndim else None
    return jax.vmap(self.goal.excess, axes)(logits.astype(jnp.float32), labels)

  def compute_in(self, dtype: str) -> "Aimed":
    """See `models.compute_in`."""
    return dataclasses.replace(self, classifier=self.classifier.compute_in(dtype))
