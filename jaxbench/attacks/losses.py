"""What an attack makes larger, from one example's logits [K] and its label []; when it has won.

Classes may share a name, and then their logits tie, up to rounding: OpenAI's ImageNet names hold
two such pairs. Every function here takes tied classes for one.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxbench import errors

Loss = Callable[[jax.Array, jax.Array], jax.Array]

# Share of the largest logit by which rounding may part logits that tie.
_TIE = 1e-6
_CLEAR = 1e-5  # Share of it that the rounding of other programs does not make up.


def cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
  """-log softmax at the label. Its gradient fades where the model is very sure."""
  return optax.softmax_cross_entropy_with_integer_labels(logits, label)


def margin(logits: jax.Array, label: jax.Array) -> jax.Array:
  """Largest other logit minus the label's: positive when fooled (Carlini & Wagner, 2017)."""
  others = jnp.where(tied(logits, logits, logits[label]), -jnp.inf, logits)
  return others.max() - logits[label]


def label_logit(logits: jax.Array, label: jax.Array) -> jax.Array:
  """Minus the label's logit: of log-probabilities, the cross-entropy (see `ensemble`)."""
  return -logits[label]


def dlr(logits: jax.Array, label: jax.Array) -> jax.Array:
  """Difference of logits ratio: `margin` over the distance from first to third logit.

  Neither the scale nor the offset of the logits changes it (Croce & Hein, 2020, equation 6).
  With two classes there is no third logit, and the margin itself serves.
  """
  if logits.size < 3:
    return margin(logits, label)
  first, _, third, _ = ranked(logits)
  return margin(logits, label) / (first - third + 1e-12)


def targeted_dlr(logits: jax.Array, label: jax.Array, target: jax.Array) -> jax.Array:
  """The ratio for one other class (Croce & Hein, 2020, equation 7).

  Of three classes, the third logit serves as the fourth too; of two, the margin serves.
  """
  if logits.size < 3:
    return logits[target] - logits[label]
  first, _, third, fourth = ranked(logits)
  return (logits[target] - logits[label]) / (first - (third + fourth) / 2 + 1e-12)


def ranked(logits: jax.Array) -> tuple[jax.Array, ...]:
  """The four largest values of [K] logits, tied ones counted once; the last is repeated."""
  falling = -jnp.sort(-logits)
  new = jnp.concatenate([jnp.ones(1, bool), ~tied(logits, falling[1:], falling[:-1])])
  places = jnp.nonzero(new, size=4, fill_value=0)[0]
  last = new.sum() - 1
  places = places[jnp.minimum(jnp.arange(4), last)]
  return tuple(falling[places[rank]] for rank in range(4))


def other_classes(logits: jax.Array, label: jax.Array) -> jax.Array:
  """All classes but the label, the likeliest first, int32 [K - 1]; those tied with another last."""
  order = jnp.argsort(-logits)
  falling = logits[order]
  again = jnp.concatenate([jnp.zeros(1, bool), tied(logits, falling[1:], falling[:-1])])
  idle = (again | tied(logits, falling, logits[label])).astype(jnp.int32)
  last = jnp.where(order == label, 2, idle)
  return order[jnp.argsort(last, stable=True)][:-1].astype(jnp.int32)


def fooled(logits: jax.Array, label: jax.Array) -> jax.Array:
  """Whether another class leads the label by more than rounding; never if a logit is no number."""
  return jnp.isfinite(logits).all() & (margin(logits, label) > 0)


def clearly_fooled(logits: jax.Array, label: jax.Array) -> jax.Array:
  """`fooled`, by so much that a judge whose rounding is another will agree.

  For attacks that end up so near the boundary that it matters.
  """
  lead = margin(logits, label)
  return fooled(logits, label) & (lead > _CLEAR * jnp.abs(logits).max())


def tied(logits: jax.Array, first: jax.Array, second: jax.Array) -> jax.Array:
  """Whether two of the logits differ by no more than rounding."""
  return jnp.abs(first - second) <= _TIE * jnp.abs(logits).max()


LOSSES: dict[str, Loss] = {
  "cross_entropy": cross_entropy,
  "margin": margin,
  "dlr": dlr,
  "label_logit": label_logit,
}


def get(loss: str | Loss) -> Loss:
  """The loss of that name; a function is taken as it is.

  Raises:
    InputError: there is no such loss.
  """
  if callable(loss):
    return loss
  if loss not in LOSSES:
    raise errors.unknown("loss", loss, LOSSES)
  return LOSSES[loss]
