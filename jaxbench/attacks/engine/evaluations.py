"""How a randomised classifier is judged: several times, by keys that no search has seen."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import threefry
from jaxbench.attacks.base import logits_of

_VERDICT = 0x7665_7264  # Folded into the keys of examples, from which searches draw as well.


@struct.dataclass
class Repeated:
  """A randomised classifier, which its judge asks several times."""

  classifier: Any
  times: int = struct.field(pytree_node=False)
  seed: int = struct.field(pytree_node=False)  # Of the run.

  def __call__(self, images: jax.Array) -> jax.Array:
    """Logits [B, K] of the draws that it makes without a key."""
    return self.classifier(images)

  def answers(self, images: jax.Array, words: jax.Array) -> jax.Array:
    """Logits float32 [R, B, K] of images [B, H, W, 3], each by keys of its own.

    Args:
      images: float32 in [0, 1].
      words: uint32 [B, 2], of the examples: hashes of their ids, or data of their keys.
    """

    def own(word: jax.Array) -> jax.Array:
      return jax.random.fold_in(jax.random.fold_in(threefry.wrap(word), _VERDICT), self.seed)

    keys = jax.vmap(own)(words)

    def once(number: jax.Array) -> jax.Array:
      drawn = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
      return jax.vmap(lambda image, key: logits_of(self.classifier, image, key))(images, drawn)

    return jax.lax.map(once, jnp.arange(self.times)).astype(jnp.float32)


def single(classifier: Any) -> Any:
  """The classifier as a search sees it, which asks once."""
  return classifier.classifier if isinstance(classifier, Repeated) else classifier


@struct.dataclass
class Answers:
  """What a classifier says of images; arrays [B, ...]."""

  logits: jax.Array  # [K] float32; of a randomised one the mean.
  # [K] float32, by which classes are ranked: the logits, or of a randomised one the votes, and of
  # equal votes the mean probabilities.
  scores: jax.Array
  finite: jax.Array  # [] bool: all logits are.
  confidence: jax.Array  # [] float32, of the likeliest class, or of the one with the most votes.
  votes: jax.Array | None  # [R] int32: predictions of a randomised one.


def ask(classifier: Any, images: jax.Array, words: jax.Array) -> Answers:
  """Answers to images [B, H, W, 3]; `words` uint32 [B, 2] are the examples'."""
  if isinstance(classifier, Repeated):
    return counted(classifier.answers(images, words))
  logits = classifier(images).astype(jnp.float32)
  confidence = jax.nn.softmax(logits).max(axis=-1)
  return Answers(logits, logits, jnp.isfinite(logits).all(axis=-1), confidence, None)


def counted(each: jax.Array) -> Answers:
  """Of logits [R, B, K], of so many evaluations."""
  votes = each.argmax(axis=-1).astype(jnp.int32)
  probabilities = jax.nn.softmax(each).mean(axis=0)
  scores = jax.nn.one_hot(votes, each.shape[-1]).sum(axis=0) + probabilities / 2
  likeliest = jnp.take_along_axis(probabilities, scores.argmax(axis=-1)[:, None], axis=-1)[:, 0]
  finite = jnp.isfinite(each).all(axis=(0, 2))
  return Answers(each.mean(axis=0), scores, finite, likeliest, votes.T)
