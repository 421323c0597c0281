"""Carlini & Wagner, 2017 (arXiv:1608.04644), section VI.C: small linf perturbations, by Adam.

The largest change alone would give a gradient at one pixel only. So every pixel pays for what it
exceeds a threshold by, and the threshold falls below each perturbation that fools.
"""

import dataclasses
import functools
import math
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.cw import image_of, weights_of
from jaxbench.attacks.parts import best, losses, norms, randomised

_SOLVED = 1e-4  # Share of the constant below which the objective of a search is as good as zero.
_SHRINK = 0.9  # Of the threshold, after a search that fools.
_FINEST = 1 / 256  # No threshold is smaller.
_GROWTH = 2  # Of the constant, after a search that does not fool.
_LARGEST = 20.0  # Constant.


@struct.dataclass
class CWLinfState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  start: jax.Array  # [H, W, 3] float32: where a search begins, at the last one that fooled.
  weights: jax.Array  # [H, W, 3] float32: of the image that the next step evaluates.
  adam: Any  # optax's state.
  constant: jax.Array  # [] float32: the weight of the margin.
  threshold: jax.Array  # [] float32: what a pixel may change for nothing.
  distance: jax.Array  # [] float32: of the smallest perturbation found.
  within: jax.Array  # [] int32: steps of this search.
  progress: Progress


@functools.cache
def cw_linf(
  *,
  steps: int = 1000,
  learning_rate: float = 5e-3,
  confidence: float = 0.0,
  initial_constant: float = 1e-5,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Minimises constant times margin plus what exceeds a falling threshold; the authors' defaults.

  It stops at the first image inside the ball that fools. The first threshold is epsilon, where the
  authors' code, which knows no epsilon, begins at 1.

  Args:
    steps: the most for one threshold and one constant.
    learning_rate: of Adam.
    confidence: by how much the margin is to be passed.
    initial_constant: the first one; it doubles, up to 20, where a search does not fool.
    keep_going: go on to the smallest threshold and return the smallest perturbation found, as
      `attacks.minimal_epsilon` asks for.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range.
  """
  if steps < 1 or learning_rate <= 0 or not 0 < initial_constant < _LARGEST or confidence < 0:
    raise errors.InputError(
      "cw_linf needs steps >= 1, learning_rate > 0, initial_constant in (0, 20) and confidence >= 0"
    )
  randomised.check("cw_linf", draws)
  ball, adam = norms.get("linf"), optax.adam(learning_rate)

  def init(example: Example, run: jax.Array | int = 0) -> CWLinfState:
    weights = weights_of(example.clean)
    return CWLinfState(
      example=example,
      image=example.clean,
      start=example.clean,
      weights=weights,
      adam=adam.init(weights),
      constant=jnp.float32(initial_constant),
      threshold=jnp.minimum(example.epsilon, 1.0),
      distance=jnp.float32(jnp.inf),
      within=jnp.int32(0),
      progress=Progress.begin(),
    )

  def descend(classifier: Classifier, state: CWLinfState) -> tuple[CWLinfState, jax.Array]:
    """One step of Adam, and whether the image it evaluates solves the search."""
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
      excess = jnp.maximum(jnp.abs(image - clean) - state.threshold, 0.0).sum()
      return excess + state.constant * missing, (image, logits)

    (value, (image, logits)), gradient = jax.value_and_grad(objective, has_aux=True)(state.weights)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes floats and counts.
      updates, moved = adam.update(gradient, state.adam)
    sure = losses.margin(logits, label) >= confidence
    across = losses.fooled(logits, label) & sure
    state = best.keep(ball, state, image, logits, across)
    solved = across & (value < _SOLVED * state.constant)
    start = jnp.where(solved, image, state.start)
    return dataclasses.replace(
      state, start=start, weights=state.weights + updates, adam=moved, within=state.within + 1
    ), solved

  def next_search(state: CWLinfState, solved: jax.Array) -> CWLinfState:
    """With a smaller threshold after success, a larger constant after failure."""
    reached = jnp.minimum(state.threshold, ball.size(state.start - state.example.clean))
    weights = weights_of(state.start)
    return dataclasses.replace(
      state,
      weights=weights,
      adam=adam.init(weights),
      constant=jnp.where(solved, 1, _GROWTH) * state.constant,
      threshold=jnp.where(solved, _SHRINK * reached, state.threshold),
      within=jnp.int32(0),
    )

  def step(classifier: Classifier, state: CWLinfState) -> CWLinfState:
    state, solved = descend(classifier, state)
    ended = solved | (state.within >= steps)
    state = jax.tree.map(lambda x, y: jnp.where(ended, x, y), next_search(state, solved), state)
    exhausted = (state.constant >= _LARGEST) | (solved & (state.threshold <= _FINEST))
    count, fooled = state.progress.count + 1, state.progress.fooled
    done = exhausted if keep_going else exhausted | fooled
    return dataclasses.replace(state, progress=Progress(count, fooled, done))

  searches = math.ceil(math.log(_LARGEST / initial_constant, _GROWTH))
  searches += math.ceil(math.log(_FINEST, _SHRINK))
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
