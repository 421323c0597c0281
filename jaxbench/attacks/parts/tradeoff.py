"""The weight of the margin against the distance, by the search of Carlini & Wagner, 2017.

Each constant is ten times the one before until one fools; from then on it is halfway between the
largest that failed and the smallest that fooled (arXiv:1608.04644, section VI).
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.attacks.base import Classifier, Progress, StepFn

_PROGRESS = 0.9999  # A tenth of a search that does not lower its objective by so much ends it.


@struct.dataclass
class Constant:
  """The weight in the search for one example."""

  value: jax.Array  # [] float32: the one in use.
  low: jax.Array  # [] float32: the largest that failed.
  high: jax.Array  # [] float32: the smallest that fooled, or infinity.
  across: jax.Array  # [] bool: this one has fooled.
  objective: jax.Array  # [] float32: when progress was last checked.
  steps: jax.Array  # [] int32: taken with this one.
  search: jax.Array  # [] int32: constants tried before.


def begin(value: float) -> Constant:
  """The constant before the first step of the first search, in which it is `value`."""
  return Constant(
    value=jnp.float32(value),
    low=jnp.float32(0),
    high=jnp.float32(jnp.inf),
    across=jnp.bool_(False),
    objective=jnp.float32(jnp.inf),
    steps=jnp.int32(0),
    search=jnp.int32(0),
  )


def search(
  descend: Callable[[Classifier, Any], tuple[Any, jax.Array, jax.Array]],
  restart: Callable[[Any], Any],
  steps: int,
  searches: int,
  keep_going: bool,
) -> StepFn:
  """The step of an attack that minimises for one constant after another.

  A search ends early, by itself, where a tenth of its steps has not lowered the objective.

  Args:
    descend: (classifier, state) -> the state after a step with `state.constant.value`, whether
      what it evaluated fools, and the objective.
    restart: the state at the beginning of the next search, but for its constant.
    steps: the most for one constant.
    searches: constants tried.
    keep_going: take all searches, fooled or not.
  """
  pause = -(-steps // 10)

  def note(constant: Constant, across: jax.Array, objective: jax.Array) -> Constant:
    check = constant.steps % pause == 0
    stuck = check & (objective > _PROGRESS * constant.objective)
    return dataclasses.replace(
      constant,
      across=constant.across | across,
      objective=jnp.where(check, objective, constant.objective),
      steps=jnp.where(stuck, steps, constant.steps + 1),
    )

  def step(classifier: Classifier, state: Any) -> Any:
    state, across, objective = descend(classifier, state)
    constant = note(state.constant, across, objective)
    state = dataclasses.replace(state, constant=constant)
    fresh = dataclasses.replace(restart(state), constant=_following(constant))
    ended = constant.steps >= steps
    state = jax.tree.map(lambda x, y: jnp.where(ended, x, y), fresh, state)
    count, fooled = state.progress.count + 1, state.progress.fooled
    exhausted = state.constant.search >= searches
    done = exhausted if keep_going else exhausted | fooled
    return dataclasses.replace(state, progress=Progress(count, fooled, done))

  return step


def _following(constant: Constant) -> Constant:
  """The next constant to try."""
  low = jnp.where(constant.across, constant.low, constant.value)
  high = jnp.where(constant.across, constant.value, constant.high)
  fooled = jnp.isfinite(high)
  halfway = (low + jnp.where(fooled, high, low)) / 2
  return Constant(
    value=jnp.where(fooled, halfway, 10 * constant.value),
    low=low,
    high=high,
    across=jnp.bool_(False),
    objective=jnp.float32(jnp.inf),
    steps=jnp.int32(0),
    search=constant.search + 1,
  )
