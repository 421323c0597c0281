"""Randomised smoothing (Cohen et al., 2019, arXiv:1902.02918): the vote over Gaussian noise.

The authors' networks were trained under the noise; a CLIP was not, and abstains often. Theirs, a
ResNet-50 on every hundredth image of ImageNet's validation set, have certified accuracies of .49,
.37, .29, .19, .15 and .12 at l2 radii of .5, 1, 1.5, 2, 2.5 and 3, at the best sigma for each.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.defences import base
from jaxbench.defences.base import Cost, Defence


@struct.dataclass
class Smooth(Defence):
  """What is predicted most often under noise; logits are logarithms of the shares of votes."""

  sigma: float = struct.field(pytree_node=False)
  samples: int = struct.field(pytree_node=False)

  draws: ClassVar[bool] = True

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`; derivatives are those of the logarithm of the mean of the softmaxes."""

    def noisy(key: jax.Array) -> tuple[jax.Array, jax.Array]:
      logits = self.answer(self.noised(image, key), key)
      return jax.nn.softmax(logits), jax.nn.one_hot(logits.argmax(), logits.size)

    keys = jax.random.split(self.own(key), self.samples)
    shares, votes = jax.lax.map(jax.checkpoint(noisy, prevent_cse=False), keys)
    counted = (votes.sum(axis=0) + 0.5) / (self.samples + 0.5 * votes.shape[-1])
    floor = jnp.finfo(jnp.float32).tiny
    return base.with_gradient_of(jnp.log(shares.mean(axis=0) + floor), jnp.log(counted))

  def noised(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """One image [H, W, 3] with noise, which may leave [0, 1]."""
    return image + self.sigma * jax.random.normal(key, image.shape, image.dtype)

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(self.samples)


def smooth(
  classifier: Any,
  *,
  sigma: float = 0.25,
  samples: int = 100,
  backward: str = "exact",
  seed: int = 0,
) -> Smooth:
  """The vote of a classifier under Gaussian noise; see `certify` for what it is worth.

  Args:
    classifier: a pytree callable, images -> logits. It is shown images outside of [0, 1].
    sigma: of the noise, in pixel units; .12, .25, .5 and 1 are published.
    samples: votes for one prediction.
    backward: see `Defence`; all three are the same: votes have no derivatives, and the softmaxes
      have theirs.
    seed: of the noise where no key is given.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  base.check("smooth", backward=backward, sigma=(sigma, 0), samples=(samples, 1))
  return Smooth(classifier, backward, seed, sigma, samples)
