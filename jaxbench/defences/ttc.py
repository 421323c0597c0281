"""Test-time counterattacks (Xing et al., CVPR 2025: "CLIP is strong enough to fight back").

The authors' images were made on the undefended CLIP: ViT-B/32 of OpenAI, 16 sets of the zero-shot
literature and Tiny-ImageNet, "This is a photo of a {}.", PGD of 10 steps of 1/255 within 1/255.
All ran in half precision, in batches of 256.
"""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.defences import base, inner
from jaxbench.defences.base import Cost, Defence


@struct.dataclass
class TTC(Defence):
  """Moves away from the image's own features, if these are suspiciously stable."""

  steps: int = struct.field(pytree_node=False)
  step: float = struct.field(pytree_node=False)
  radius: float = struct.field(pytree_node=False)
  threshold: float = struct.field(pytree_node=False)
  beta: float = struct.field(pytree_node=False)

  draws: ClassVar[bool] = True

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    return self.started(image, inner.uniform(self.own(key), image, self.radius))

  def started(self, image: jax.Array, start: jax.Array) -> jax.Array:
    """Logits [K] of one image [H, W, 3], whose delta begins at `start`."""
    delta = self.counterattack(image, start) if self.steps else start
    return self.classified(self.encoded(self.added(image, delta)))

  def counterattack(self, image: jax.Array, start: jax.Array) -> jax.Array:
    """The delta [H, W, 3] that is added: weighted over the path, or the start alone."""
    anchor = self.encoded(image)
    path = inner.ascend(
      lambda moved: jnp.sum(jnp.square(self.encoded(moved) - anchor)),
      image,
      start,
      steps=self.steps,
      step=self.step,
      radius=self.radius,
      soft=self.backward == "smooth",
    )
    weights = jax.nn.softmax(self.beta * jnp.arange(self.steps + 1, dtype=jnp.float32))
    weighted = jnp.tensordot(weights, path.deltas, 1)
    # The first look inside the loop is at the start: how far noise alone moves the features.
    moved = jnp.sqrt(path.values[0]) / jnp.linalg.norm(anchor)
    chosen = jnp.where(moved < self.threshold, weighted, start)
    if self.backward != "smooth" or math.isinf(self.threshold):
      return chosen
    gate = base.gate(self.threshold - moved)
    return base.with_gradient_of(gate * weighted + (1 - gate) * start, chosen)

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(self.steps + 2, self.steps) if self.steps else Cost(1)


def ttc(
  classifier: Any,
  *,
  steps: int = 2,
  step: float = 1 / 255,
  radius: float = 4 / 255,
  threshold: float = 0.2,
  beta: float = 2.0,
  backward: str = "exact",
  seed: int = 0,
) -> TTC:
  """Signed steps that move the features away, from noise; a mean over them is added.

  Where the noise alone moves the features by a share of `threshold` or more, it alone is added.

  Args:
    classifier: with `features` and `classify`, as a zero-shot one.
    steps: how many; 0 adds noise alone, the authors' baseline RN.
    step: length of one, in pixel units.
    radius: of the ball that they stay in, in pixel units.
    threshold: tau of the paper; infinite and 0 force one of the two branches.
    beta: by how much later steps weigh more, in the exponent.
    backward: see `Defence`.
    seed: of the noise where no key is given.

  Raises:
    InputError: a value is out of range, a name unknown, or the classifier has no features.

  Example:
    >>> defended = defences.ttc(models.zero_shot(clip, names, templates))
    >>> attacker = dataclasses.replace(defended, backward="bpda")
    >>> attacks.run(attack, defended, images, labels, 1 / 255, key, surrogate=attacker)
  """
  base.check(
    "ttc",
    backward=backward,
    steps=(steps, 0),
    step=(step, 0),
    radius=(radius, 0),
    threshold=(threshold, 0),
  )
  base.require_features("ttc", classifier)
  return TTC(classifier, backward, seed, steps, step, radius, threshold, beta)
