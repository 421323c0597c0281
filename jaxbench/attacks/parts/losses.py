"""What an attack makes larger, from one example's logits [K] and its label []; when it has won."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbench import errors

Loss = Callable[[jax.Array, jax.Array], jax.Array]

# Share of two logits by which the rounding of another program may part them.
_CLEAR = 1e-5
_DEEP = -60.0  # Log-odds below which float32 would round the cross-entropy or its slope away.


def cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
  """-log softmax at the label, of which no size of the logits hides the slope.

  A softmax rounds the label's probability to 1 where it leads by 17, and its gradient to zero where
  it leads by 104. This is the softplus of the log-odds, whose gradient is right that far; from a
  lead of 60 on it goes on along its tangent, which changes it by less than 1e-26 of the lead.
  """
  odds = log_odds(logits, label)
  tangent = jnp.exp(_DEEP) * (1 + odds - _DEEP)
  return jnp.where(odds < _DEEP, tangent, jax.nn.softplus(jnp.maximum(odds, _DEEP)))


def log_odds(logits: jax.Array, label: jax.Array) -> jax.Array:
  """The log-odds of all other classes together against the label, [] float32."""
  return jax.nn.logsumexp(_others(logits, label)) - logits[label]


def margin(logits: jax.Array, label: jax.Array) -> jax.Array:
  """Largest other logit minus the label's: positive when fooled (Carlini & Wagner, 2017)."""
  return _others(logits, label).max() - logits[label]


def _others(logits: jax.Array, label: jax.Array) -> jax.Array:
  return jnp.where(jnp.arange(logits.size) == label, -jnp.inf, logits)


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
  """The four largest values of [K] logits; of fewer than four, the last is repeated."""
  falling = -jnp.sort(-logits)
  return tuple(falling[min(rank, logits.size - 1)] for rank in range(4))


def other_classes(logits: jax.Array, label: jax.Array) -> jax.Array:
  """All classes but the label, the likeliest first, int32 [K - 1]."""
  order = jnp.argsort(-logits)
  return order[jnp.argsort(order == label, stable=True)][:-1].astype(jnp.int32)


def fooled(logits: jax.Array, label: jax.Array) -> jax.Array:
  """Whether the label is not predicted; where a logit is no number, nothing is predicted."""
  return ~jnp.isfinite(logits).all() | (jnp.argmax(logits) != label)


def clear(logits: jax.Array, label: jax.Array) -> jax.Array:
  """Whether another class leads by so much that a judge whose rounding is another will agree.

  For attacks that end up so near the boundary that it matters; a preference, not a condition.
  """
  lead = margin(logits, label)
  return ~(lead <= _CLEAR * jnp.maximum(jnp.abs(logits[label]), jnp.abs(logits[label] + lead)))


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
