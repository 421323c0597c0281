"""What a candidate is scored by: the features of its text beside an anchor; larger is better."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

# (features [D], of the encoder, not normalised; anchors [K, D]; label []) -> [].
Objective = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def _distance(features: jax.Array, anchors: jax.Array, label: jax.Array) -> jax.Array:
  return jnp.sum((features - anchors[label]) ** 2)


def _cosines(features: jax.Array, anchors: jax.Array) -> jax.Array:
  unit = anchors / jnp.linalg.norm(anchors, axis=-1, keepdims=True)
  return unit @ (features / jnp.linalg.norm(features))


def _likeness(features: jax.Array, anchors: jax.Array, label: jax.Array) -> jax.Array:
  return _cosines(features, anchors)[label]


def _divergence(features: jax.Array, anchors: jax.Array, label: jax.Array) -> jax.Array:
  before, after = (
    jax.nn.log_softmax(each / jnp.linalg.norm(each)) for each in (anchors[label], features)
  )
  return jnp.sum(jnp.exp(before) * (before - after))


def _margin(features: jax.Array, anchors: jax.Array, label: jax.Array) -> jax.Array:
  """By how much another class leads; above 0 the text is taken for it."""
  cosines = _cosines(features, anchors)
  others = jnp.where(jnp.arange(cosines.size) == label, -jnp.inf, cosines)
  return others.max() - cosines[label]


OBJECTIVES: dict[str, Objective] = {
  "l2": _distance,  # Away from an anchor, as LEAF trains: the features of the clean text.
  "negl2": lambda *given: -_distance(*given),  # Towards it.
  "dissim": lambda *given: -_likeness(*given),
  "sim": _likeness,
  "kl": _divergence,  # Away from it, as Co-Attack: of the softmax of unit features.
  "margin": _margin,  # Of classes.
}
REACHED = {"margin": 0.0}  # Above which the goal of a search is met; others go on to their end.
