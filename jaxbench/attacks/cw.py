"""Carlini & Wagner, 2017 (arXiv:1608.04644), section VI: the smallest l2 perturbation, by Adam.

The image is written as (tanh(w) + 1) / 2, so that it cannot leave the box, and the weight of the
margin against the distance is found by a binary search.
"""

import dataclasses
import functools
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import best, losses, norms, randomised, tradeoff

_ALMOST = 0.999999  # Of the range of tanh: its ends are at infinity.


@struct.dataclass
class CWState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  weights: jax.Array  # [H, W, 3] float32: w.
  adam: Any  # optax's state.
  constant: tradeoff.Constant  # The weight of the margin.
  distance: jax.Array  # [] float32: of the smallest perturbation found.
  progress: Progress


@functools.cache
def cw(
  *,
  steps: int = 10_000,
  searches: int = 9,
  learning_rate: float = 0.01,
  confidence: float = 0.0,
  initial_constant: float = 1e-3,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
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
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range.
  """
  if min(steps, searches) < 1 or min(learning_rate, initial_constant) <= 0 or confidence < 0:
    raise errors.InputError(
      "cw needs steps, searches >= 1, learning_rate, initial_constant > 0 and confidence >= 0"
    )
  randomised.check("cw", draws)
  ball, adam = norms.get("l2"), optax.adam(learning_rate)

  def init(example: Example, run: jax.Array | int = 0) -> CWState:
    weights = weights_of(example.clean)
    return CWState(
      example=example,
      image=example.clean,
      weights=weights,
      adam=adam.init(weights),
      constant=tradeoff.begin(initial_constant),
      distance=jnp.float32(jnp.inf),
      progress=Progress.begin(),
    )

  def descend(classifier: Classifier, state: CWState) -> tuple[CWState, jax.Array, jax.Array]:
    """One step of Adam; the image it evaluates is kept if it is the best."""
    clean, label = state.example.clean, state.example.label
    missing_of = randomised.loss_fn(
      lambda logits: jnp.maximum(confidence - losses.margin(logits, label), 0.0),
      classifier,
      state.example.fold_in(state.progress.count).key,
      draws,
    )

    def objective(weights: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
      image = image_of(weights)
      missing, logits = missing_of(image)
      squared = jnp.square(image - image_of(weights_of(clean))).sum()
      return squared + state.constant.value * missing, (image, logits)

    (value, (image, logits)), gradient = jax.value_and_grad(objective, has_aux=True)(state.weights)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes floats and counts.
      updates, moved = adam.update(gradient, state.adam)
    sure = losses.margin(logits, label) >= confidence
    across = losses.fooled(logits, label) & sure
    state = best.keep(ball, state, image, logits, across)
    state = dataclasses.replace(state, weights=state.weights + updates, adam=moved)
    return state, across, value

  def restart(state: CWState) -> CWState:
    weights = weights_of(state.example.clean)
    return dataclasses.replace(state, weights=weights, adam=adam.init(weights))

  step = tradeoff.search(descend, restart, steps, searches, keep_going)
  return Attack(
    init,
    step,
    ball,
    steps * searches,
    forwards=draws,
    backwards=draws,
    minimizes=keep_going,
    draws=draws,
  )


def image_of(weights: jax.Array) -> jax.Array:
  """Any weights [H, W, 3] as an image inside the box."""
  return (jnp.tanh(weights) + 1) / 2


def weights_of(image: jax.Array) -> jax.Array:
  """The weights of an image, whose pixels at 0 and 1 are moved inside a little."""
  return jnp.arctanh(_ALMOST * (2 * image - 1))
