"""What a classifier says of images whose classes it knows."""

import functools

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import attacks, devices
from jaxbench.attacks.engine import evaluations, verdict


@struct.dataclass
class _Prediction:
  """Of one classifier; arrays [S, ...]."""

  prediction: jax.Array  # [] int32.
  rank: jax.Array  # [] int32, of the label.
  confidence: jax.Array  # [] float32.
  right: jax.Array | None  # [] float32: the share of a randomised one's evaluations.
  scores: jax.Array | None  # [K] float32, the logits; None where the set needs none.


@functools.cache
def prediction(scored: bool) -> jax.stages.Wrapped:
  """A program (classifier, images, labels, hashes of ids) -> what is predicted.

  All logits too if `scored`.
  """

  def predict(
    classifier: attacks.Classifier, images: jax.Array, labels: jax.Array, hashes: jax.Array
  ) -> _Prediction:
    answers = evaluations.ask(classifier, images, hashes)
    scores, finite, votes = answers.scores, answers.finite, answers.votes
    return _Prediction(
      prediction=verdict.chosen(answers),
      rank=jnp.where(finite, jax.vmap(_rank)(scores, labels), scores.shape[-1]),
      confidence=jnp.where(finite, answers.confidence, 0),
      right=None if votes is None else (votes == labels[:, None]).mean(axis=1),
      scores=answers.logits if scored else None,
    )

  return devices.shard(predict)


def _rank(logits: jax.Array, label: jax.Array) -> jax.Array:
  """How many classes come before the label []; of equal logits [K] the first does."""
  earlier = (logits == logits[label]) & (jnp.arange(logits.size) < label)
  return ((logits > logits[label]) | earlier).sum().astype(jnp.int32)
