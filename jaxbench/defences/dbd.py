"""Directional bias defence: features of certain views point back to where an image came from.

Its authors stored images that PGD of 100 steps made at 4/255 on the undefended CLIP, and used
prompts that a language model wrote. How their views are drawn could not be had: here as those of
`rtpt`. So its numbers here are of the method, not of their code.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.defences import base, views
from jaxbench.defences.base import Cost, Defence


@struct.dataclass
class DBD(Defence):
  """Moves an image's features by the mean step to those of its certain views."""

  views: int = struct.field(pytree_node=False)
  chosen: int = struct.field(pytree_node=False)
  threshold: float = struct.field(pytree_node=False)
  strength: float = struct.field(pytree_node=False)

  draws: ClassVar[bool] = True

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    return self.viewed(views.of(image, self.own(key), self.views))

  def viewed(self, shown: jax.Array) -> jax.Array:
    """Logits [K] of views [V, H, W, 3], of which the first is the image itself."""
    features = views.features(self, shown)
    unsure = views.entropies(self.classifier.classify(jax.lax.stop_gradient(features[1:])))
    units = jax.vmap(base.directed)(features)
    own, certain = units[0], units[1:][jnp.argsort(unsure)[: self.chosen]]
    steps = certain - own[None]
    direction = steps.mean(axis=0)
    alike = (jax.vmap(base.directed)(steps) @ base.directed(direction)).mean()
    factor = jnp.where(alike > self.threshold, self.strength, 1.0)
    if self.backward == "smooth":
      gate = base.gate(alike - self.threshold)
      factor = base.with_gradient_of(1 + (self.strength - 1) * gate, factor)
    return self.classified(self.added(own, factor * direction))

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(self.views)


def dbd(
  classifier: Any,
  *,
  views: int = 32,
  chosen: int = 16,
  threshold: float = 0.8,
  strength: float = 2.5,
  backward: str = "exact",
  seed: int = 0,
) -> DBD:
  """Answers an image's features moved by the mean step to those of its certain views.

  All features have 2-norm 1. Where the steps agree, as those of adversarial images are said to do,
  the move is `strength` times as far.

  Args:
    classifier: one with `features` and `classify`.
    views: the image and so many less one random crops, mirrored or not.
    chosen: the crops of lowest entropy, to whose features the steps are taken.
    threshold: steps agree where their mean cosine to their mean is above it.
    strength: how far those are gone.
    backward: see `Defence`. To "bpda" the move is a constant; which crops are chosen is one to all.
    seed: of the crops where no key is given.

  Raises:
    InputError: a value is out of range, a name unknown, or the classifier has no features.
  """
  base.check("dbd", backward=backward, views=(views, 2), chosen=(chosen, 1), strength=(strength, 0))
  base.require_features("dbd", classifier)
  if chosen >= views:
    raise errors.InputError(f"dbd: of {views - 1} crops {chosen} cannot be chosen")
  return DBD(classifier, backward, seed, views, chosen, threshold, strength)
