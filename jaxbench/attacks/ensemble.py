"""Several classifiers as one, for attacks that shall transfer (Dong et al., 2018, section 3.3)."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Classifier

_COMBINE = ("logits", "losses")


@struct.dataclass
class Ensemble:
  """A pytree callable: images float32 [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  classifiers: tuple[Any, ...]
  combine: str = struct.field(pytree_node=False)  # "logits" or "losses".

  def __call__(self, images: jax.Array) -> jax.Array:
    """The mean of the classifiers' logits, or of their log-softmaxes."""
    each = [classifier(images) for classifier in self.classifiers]
    if self.combine == "losses":
      each = [jax.nn.log_softmax(logits) for logits in each]
    return jnp.stack(each).mean(axis=0)

  @property
  def same_as(self) -> np.ndarray | None:
    """[K] int32: of each class, the first that all members declare the same; or None."""
    declared = [getattr(classifier, "same_as", None) for classifier in self.classifiers]
    if any(same_as is None for same_as in declared):
      return None
    columns = np.stack([np.asarray(same_as) for same_as in declared])
    _, firsts, places = np.unique(columns, axis=1, return_index=True, return_inverse=True)
    return firsts[places.ravel()].astype(np.int32)

  def compute_in(self, dtype: str) -> "Ensemble":
    """The same classifiers, computing in `dtype`.

    Raises:
      InputError: one of them cannot.
    """
    if not all(hasattr(classifier, "compute_in") for classifier in self.classifiers):
      raise errors.InputError("an ensemble computes in another dtype only if all its members can")
    members = tuple(classifier.compute_in(dtype) for classifier in self.classifiers)
    return dataclasses.replace(self, classifiers=members)


def ensemble(classifiers: Sequence[Classifier], combine: str = "logits") -> Ensemble:
  """Fuses classifiers of the same classes with equal weights (arXiv:1710.06081).

  Args:
    classifiers: pytree callables. Those of different input sizes can be made alike with
      `models.resized`.
    combine: "logits" takes the mean of the logits, which the paper found best. "losses" takes the
      mean of the log-softmaxes: with the loss "label_logit" an attack then ascends the mean of the
      classifiers' cross-entropies.

  Raises:
    InputError: there are no classifiers, or there is no such way to combine them.

  Example:
    >>> surrogate = attacks.ensemble([resnet, vit])
    >>> attack = attacks.mim(keep_going=True)
    >>> made = attacks.run(attack, surrogate, images, labels, 8 / 255, jax.random.key(0))
    >>> target(made.adversarial)
  """
  if not classifiers:
    raise errors.InputError("an ensemble needs at least one classifier")
  if combine not in _COMBINE:
    raise errors.unknown("combine", combine, _COMBINE)
  return Ensemble(tuple(classifiers), combine)
