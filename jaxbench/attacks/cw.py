"""Carlini & Wagner, 2017 (arXiv:1608.04644), section VI: the smallest l2 perturbation, by Adam.

The image is written as (tanh(w) + 1) / 2, so that it cannot leave the box, and the weight of the
margin against the distance is found by a binary search.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxbench import errors
from jaxbench.attacks import losses, norms
from jaxbench.attacks.base import Attack, Classifier, logits_of

_ALMOST = 0.999999  # Of the range of tanh: its ends are at infinity.
_PROGRESS = 0.9999  # A tenth of a search that does not lower its objective by so much ends it.


@struct.dataclass
class CWState:
  """One example."""

  clean: jax.Array  # [H, W, 3] float32 in [0, 1].
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  label: jax.Array  # [] int32.
  epsilon: jax.Array  # [] float32.
  weights: jax.Array  # [H, W, 3] float32: w.
  adam: Any  # optax's state.
  constant: jax.Array  # [] float32: the weight of the margin.
  low: jax.Array  # [] float32: the largest constant that failed.
  high: jax.Array  # [] float32: the smallest constant that fooled, or infinity.
  across: jax.Array  # [] bool: this constant has fooled.
  objective: jax.Array  # [] float32: at the last look at progress.
  distance: jax.Array  # [] float32: of the smallest perturbation found.
  within: jax.Array  # [] int32: steps with this constant.
  search: jax.Array  # [] int32: constants tried before.
  count: jax.Array  # [] int32.
  fooled: jax.Array  # [] bool.
  done: jax.Array  # [] bool.


@functools.cache
def cw(
  *,
  steps: int = 10_000,
  searches: int = 9,
  learning_rate: float = 0.01,
  confidence: float = 0.0,
  initial_constant: float = 1e-3,
  keep_going: bool = False,
) -> Attack:
  """Minimises squared l2 distance plus constant times margin; defaults are the authors'.

  It stops at the first image inside the ball that fools. A search ends early, by itself, where a
  tenth of its steps has not lowered the objective.

  Args:
    steps: the most for one constant.
    searches: constants tried: ten times larger until one fools, then halfway between.
    learning_rate: of Adam.
    confidence: by how much the margin is to be passed.
    initial_constant: the first one.
    keep_going: take all steps and return the smallest perturbation found, as
      `attacks.minimal_epsilon` asks for.

  Raises:
    InputError: a value is out of range.
  """
  if min(steps, searches) < 1 or min(learning_rate, initial_constant) <= 0 or confidence < 0:
    raise errors.InputError(
      "cw needs steps, searches >= 1, learning_rate, initial_constant > 0 and confidence >= 0"
    )
  ball, adam = norms.get("l2"), optax.adam(learning_rate)
  pause = -(-steps // 10)

  def init(
    key: jax.Array,
    image: jax.Array,
    label: jax.Array,
    epsilon: jax.Array,
    run: jax.Array | int = 0,
  ) -> CWState:
    weights = weights_of(image)
    return CWState(
      clean=image,
      image=image,
      label=label,
      epsilon=epsilon,
      weights=weights,
      adam=adam.init(weights),
      constant=jnp.float32(initial_constant),
      low=jnp.float32(0),
      high=jnp.float32(jnp.inf),
      across=jnp.bool_(False),
      objective=jnp.float32(jnp.inf),
      distance=jnp.float32(jnp.inf),
      within=jnp.int32(0),
      search=jnp.int32(0),
      count=jnp.int32(0),
      fooled=jnp.bool_(False),
      done=jnp.bool_(False),
    )

  def descend(classifier: Classifier, state: CWState) -> CWState:
    """One step of Adam; what it looks at is kept if it is the best."""

    def objective(weights: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
      image = image_of(weights)
      logits = logits_of(classifier, image)
      missing = jnp.maximum(confidence - losses.margin(logits, state.label), 0.0)
      squared = jnp.square(image - image_of(weights_of(state.clean))).sum()
      return squared + state.constant * missing, (image, logits)

    (value, (image, logits)), gradient = jax.value_and_grad(objective, has_aux=True)(state.weights)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes floats and counts.
      updates, moved = adam.update(gradient, state.adam)
    distance = ball.size(image - state.clean)
    sure = losses.margin(logits, state.label) >= confidence
    across = losses.fooled(logits, state.label) & sure
    closer = across & (distance < state.distance)
    inside = closer & (distance <= state.epsilon)
    look = state.within % pause == 0
    stuck = look & (value > _PROGRESS * state.objective)
    within = state.within + 1
    return dataclasses.replace(
      state,
      image=jnp.where(inside, image, state.image),
      weights=state.weights + updates,
      adam=moved,
      across=state.across | across,
      objective=jnp.where(look, value, state.objective),
      distance=jnp.where(closer, distance, state.distance),
      within=jnp.where(stuck, steps, within),
      count=state.count + 1,
      fooled=state.fooled | inside,
    )

  def next_search(state: CWState) -> CWState:
    """A fresh start with another constant."""
    low = jnp.where(state.across, state.low, state.constant)
    high = jnp.where(state.across, state.constant, state.high)
    halfway = (low + jnp.where(jnp.isfinite(high), high, low)) / 2
    weights = weights_of(state.clean)
    return dataclasses.replace(
      state,
      weights=weights,
      adam=adam.init(weights),
      constant=jnp.where(jnp.isfinite(high), halfway, 10 * state.constant),
      low=low,
      high=high,
      across=jnp.bool_(False),
      objective=jnp.float32(jnp.inf),
      within=jnp.int32(0),
      search=state.search + 1,
    )

  def step(classifier: Classifier, state: CWState) -> CWState:
    state = descend(classifier, state)
    ended = state.within >= steps
    state = jax.tree.map(lambda x, y: jnp.where(ended, x, y), next_search(state), state)
    out_of_searches = state.search >= searches
    done = out_of_searches if keep_going else out_of_searches | state.fooled
    return dataclasses.replace(state, done=done)

  return Attack(init, step, ball, steps * searches, forwards=1, backwards=1, minimizes=keep_going)


def image_of(weights: jax.Array) -> jax.Array:
  """Any weights [H, W, 3] as an image inside the box."""
  return (jnp.tanh(weights) + 1) / 2


def weights_of(image: jax.Array) -> jax.Array:
  """The weights of an image, whose pixels at 0 and 1 are moved inside a little."""
  return jnp.arctanh(_ALMOST * (2 * image - 1))
