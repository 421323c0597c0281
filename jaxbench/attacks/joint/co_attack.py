"""Co-Attack (Zhang et al., 2022, arXiv:2206.09391), as its code attacks CLIP."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Classifier, logits_of
from jaxbench.attacks.joint.base import Joint, signed, unit
from jaxbench.attacks.parts import losses


@struct.dataclass
class Divergence:
  """Minus how far embeddings are from those of images and texts, as distributions."""

  encoder: Any  # Images -> features [B, D].
  images: jax.Array  # [N, D] float32: the softmax of the clean images' embeddings.
  texts: jax.Array  # [N, D] float32: likewise of a text of each.
  alpha: jax.Array  # [] float32, the weight of the texts.

  def __call__(self, images: jax.Array) -> jax.Array:
    """[B, N]: -KL(image || embedding) - alpha KL(text || embedding)."""
    logs = jax.nn.log_softmax(unit(self.encoder(images).astype(jnp.float32)))
    cross = logs @ (self.images + self.alpha * self.texts).T
    return cross - (_minus_entropy(self.images) + self.alpha * _minus_entropy(self.texts))[None]


@functools.cache
def co_attack(*, steps: int = 10, relative_step: float = 1.25, alpha: float = 3.0) -> Joint:
  """Co-Attack (Zhang et al., 2022, arXiv:2206.09391): texts, then images away from both.

  Texts are moved from what they were, images from what they were and from these texts. Of several
  captions of an image the last one guides it: the code attacks every pair, and the image of the
  last stands for all. The start is above the image only, as there.

  Args:
    steps: signed ones.
    relative_step: length of all of them together, in units of epsilon, which is 2/255 there.
    alpha: weight of the texts beside that of the clean image.

  Raises:
    InputError: a value is out of range.
  """
  if steps < 1 or relative_step <= 0 or alpha < 0:
    raise errors.InputError(
      "co_attack needs steps >= 1, relative_step > 0 and alpha >= 0, not "
      f"{steps}, {relative_step}, {alpha}"
    )

  def guide(encoder: Any, images: np.ndarray, texts: np.ndarray, owners: np.ndarray) -> Divergence:
    last = np.zeros(len(images), np.int64)
    last[owners] = np.arange(len(owners))  # Of equal places, the last is kept.
    before, guides = (jax.nn.softmax(jnp.asarray(each)) for each in (images, texts[last]))
    return Divergence(encoder, before, guides, jnp.float32(alpha))

  attack = signed(
    _away, steps=steps, stride=lambda epsilon: relative_step * epsilon / steps, lowest=0.0
  )
  return Joint(attack, guide, objective="kl", again=False)


def _away(classifier: Classifier, image: jax.Array, label: jax.Array, key: jax.Array) -> jax.Array:
  del key
  return jax.grad(lambda image: losses.label_logit(logits_of(classifier, image), label))(image)


def _minus_entropy(chances: jax.Array) -> jax.Array:
  """[N] of distributions [N, D], none of them zero anywhere."""
  return (chances * jnp.log(chances)).sum(axis=-1)
