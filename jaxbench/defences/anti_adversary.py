"""Combating adversaries with anti-adversaries (Alfarra et al., 2022, arXiv:2103.14347).

The authors attack it by AutoAttack at 8/255, through a delta that is a detached leaf. In the logs
that come with Croce et al., 2022 (arXiv:2202.13711), on an adversarially trained network on
CIFAR-10: APGD-CE leaves 62 % of the network alone, 81 % of the defended one, and 62 % of it on the
images made for the former.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.defences import base, inner
from jaxbench.defences.base import Cost, Defence


@struct.dataclass
class AntiAdversary(Defence):
  """Makes the class that is predicted likelier, and answers then."""

  steps: int = struct.field(pytree_node=False)
  step: float = struct.field(pytree_node=False)
  box: bool = struct.field(pytree_node=False)  # Whether the moved image stays in [0, 1].

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    label = self.answer(image, key).argmax()

    def likelihood(moved: jax.Array) -> jax.Array:
      """Minus the cross-entropy, of which no rounding of a softmax hides the slope."""
      logits = self.answer(moved, key)
      others = jnp.where(jnp.arange(logits.size) == label, -jnp.inf, logits)
      return -jax.nn.softplus(jax.nn.logsumexp(others) - logits[label])

    path = inner.ascend(
      likelihood,
      image,
      jnp.zeros_like(image),
      steps=self.steps,
      step=self.step,
      radius=jnp.inf,
      box=self.box,
      soft=self.backward == "smooth",
    )
    return self.answer(self.added(image, path.deltas[-1]), key)

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(self.steps + 2, self.steps)


def anti_adversary(
  classifier: Any,
  *,
  steps: int = 2,
  step: float = 0.15,
  backward: str = "exact",
  compat: str = "clean",
  seed: int = 0,
) -> AntiAdversary:
  """Signed steps that lower the cross-entropy of the predicted class, before the answer.

  Args:
    classifier: a pytree callable, images -> logits.
    steps: how many.
    step: length of one, in pixel units; 0.15 is 38 grey levels.
    backward: see `Defence`.
    compat: "clean" keeps the image in [0, 1]; "official" lets it leave, as the authors' code does.
    seed: of what it may wrap; it draws nothing itself.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  base.check("anti_adversary", backward=backward, compat=compat, steps=(steps, 0), step=(step, 0))
  return AntiAdversary(classifier, backward, seed, steps, step, compat == "clean")
