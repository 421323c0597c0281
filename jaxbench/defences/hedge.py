"""Attacking adversarial attacks as a defense: hedge defense (Wu et al., 2021, arXiv:2106.04938).

As in the copy of it that Croce et al., 2022 (arXiv:2202.13711) attack. Their logs, of 1,000 images
of CIFAR-10 at 8/255 and APGD-T on a network of Carmon et al.: 59.2 % alone; defended, 65.5 % on the
images made for it alone, 59.6 % through the defence (bpda, 4 draws, 5 steps for 20), 59.2 % on the
worse of both. Of Andriushchenko et al.'s: 45.0, 54.1, 45.8 and 45.2 %.
"""

from typing import Any, ClassVar

import jax
from flax import struct

from jaxbench.defences import base, inner
from jaxbench.defences.base import Cost, Defence


@struct.dataclass
class Hedge(Defence):
  """Moves away from all classes at once, which the right one survives the longest."""

  steps: int = struct.field(pytree_node=False)
  step: float = struct.field(pytree_node=False)
  radius: float = struct.field(pytree_node=False)

  draws: ClassVar[bool] = True

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    return self.started(image, key, inner.uniform(self.own(key), image, self.radius))

  def started(self, image: jax.Array, key: jax.Array, start: jax.Array) -> jax.Array:
    """Logits [K] of one image [H, W, 3], whose delta begins at `start`."""

    def objective(moved: jax.Array) -> jax.Array:
      return all_cross_entropies(self.answer(moved, key))

    path = inner.ascend(
      objective,
      image,
      start,
      steps=self.steps,
      step=self.step,
      radius=self.radius,
      soft=self.backward == "smooth",
    )
    return self.answer(self.added(image, path.deltas[-1]), key)

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(self.steps + 1, self.steps)


def all_cross_entropies(logits: jax.Array) -> jax.Array:
  """The sum of the cross-entropies of all classes, [], of logits [K]."""
  return logits.size * jax.nn.logsumexp(logits) - logits.sum()


def hedge(
  classifier: Any,
  *,
  steps: int = 20,
  step: float = 4 / 255,
  radius: float = 8 / 255,
  backward: str = "exact",
  seed: int = 0,
) -> Hedge:
  """Signed steps that raise the cross-entropies of all classes together, before the answer.

  Args:
    classifier: a pytree callable, images -> logits.
    steps: how many; 5 are the cheaper proxy that it was attacked through.
    step: length of one, in pixel units.
    radius: of the ball that they stay in, in pixel units: the epsilon that is defended against.
    backward: see `Defence`.
    seed: of the random start where no key is given.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  base.check("hedge", backward=backward, steps=(steps, 0), step=(step, 0), radius=(radius, 0))
  return Hedge(classifier, backward, seed, steps, step, radius)
