"""What decision-based attacks share: the way across the boundary, and from there back to it.

They see nothing but whether an image fools. In a step they query a fixed number of images, and what
they look for is a phase of their state: an image of noise that fools, from which to start; the
boundary between it and the clean image; and then what the attack does by itself. So slots of all
phases share one program, and an example that finds no start holds up nobody.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import best, losses, norms

START, BISECT, SEARCH = range(3)  # Phases; an attack may split SEARCH, and counts on from it.


@struct.dataclass
class DecisionState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  point: jax.Array  # [H, W, 3] float32 in [0, 1]: across the boundary, not bound to the ball.
  distance: jax.Array  # [] float32: of the smallest perturbation found.
  phase: jax.Array  # [] int32.
  turn: jax.Array  # [] int32, steps in this phase.
  low: jax.Array  # [] float32: share of the way to `point` that does not fool.
  high: jax.Array  # [] float32: share that does.
  memory: Any  # What the attack keeps besides.
  progress: Progress


class Phase(NamedTuple):
  """A step while an attack looks for one thing."""

  # (key, state) -> images [B, H, W, 3] to query, which are cut to [0, 1].
  query: Callable[[jax.Array, DecisionState], jax.Array]
  # (state, the images that were queried, which of them fool [B]) -> state.
  update: Callable[[DecisionState, jax.Array, jax.Array], DecisionState]


def attack(
  phases: tuple[Phase, ...],
  remember: Callable[[jax.Array], Any],
  ball: norms.Norm,
  *,
  steps: int,
  batch: int,
  starts: int,
  keep_going: bool,
  converged: Callable[[DecisionState], Any] = lambda state: False,
) -> Attack:
  """An attack of phases.

  Args:
    phases: what it does in each; START, BISECT, SEARCH and those after it.
    remember: its memory before the first step, from the clean image.
    ball: its norm.
    steps: the most.
    batch: queries in a step.
    starts: images of noise that are tried.
    keep_going: make all steps, and return the smallest perturbation found.
    converged: whether nothing is left to gain, [] bool from the state.
  """
  queries, updates = zip(*phases, strict=True)

  def init(example: Example, run: jax.Array | int = 0) -> DecisionState:
    return DecisionState(
      example=example,
      image=example.clean,
      point=example.clean,
      distance=jnp.float32(jnp.inf),
      phase=jnp.int32(START),
      turn=jnp.int32(0),
      low=jnp.float32(0),
      high=jnp.float32(1),
      memory=remember(example.clean),
      progress=Progress.begin(),
    )

  def step(classifier: Classifier, state: DecisionState) -> DecisionState:
    count = state.progress.count
    key = jax.random.fold_in(state.example.key, count)
    points = jnp.clip(jax.lax.switch(state.phase, queries, key, state), 0.0, 1.0)
    points = state.example.kept(points)
    logits = classifier(points)
    across = jax.vmap(losses.fooled, (0, None))(logits, state.example.label)
    state = closest(ball, state, points, logits, across)
    state = jax.lax.switch(state.phase, updates, state, points, across)
    lost = (state.phase == START) & (state.turn * batch >= starts)
    fooled = state.progress.fooled
    ended = (count + 1 >= steps) | lost | converged(state)
    progress = Progress(count + 1, fooled, done=ended if keep_going else ended | fooled)
    return dataclasses.replace(state, progress=progress)

  return Attack(
    init, step, ball, steps, forwards=batch, backwards=0, minimizes=keep_going, decision_based=True
  )


def noise(key: jax.Array, image: jax.Array, count: int) -> jax.Array:
  """Images of uniform noise, [count, H, W, 3], made of square blocks of random size.

  Pixels of noise look alike to a classifier, which may take all of them for the same class.
  """
  height, width = image.shape[:2]
  largest = int(math.log2(min(height, width)))

  def draw(key: jax.Array) -> jax.Array:
    size, pixels = jax.random.split(key)
    side = 2 ** jax.random.randint(size, (), 0, largest + 1)
    values = jax.random.uniform(pixels, image.shape, image.dtype)
    return values[jnp.arange(height) // side][:, jnp.arange(width) // side]

  return jax.vmap(draw)(jax.random.split(key, count))


def started(state: DecisionState, points: jax.Array, across: jax.Array) -> DecisionState:
  """The state after noise [B, H, W, 3] was queried: the first that fools becomes its `point`.

  `across` [B] bool says which do.
  """
  fools = across.any()
  return dataclasses.replace(
    state,
    point=jnp.where(fools, points[jnp.argmax(across)], state.point),
    phase=jnp.where(fools, BISECT, START),
    turn=jnp.where(fools, 0, state.turn + 1),
    low=jnp.float32(0),
    high=jnp.float32(1),
  )


def _shares(state: DecisionState, count: int) -> jax.Array:
  """The ends of the interval of a bisection, and `count` shares between them, [count + 2]."""
  return state.low + (state.high - state.low) * jnp.linspace(0.0, 1.0, count + 2)


def _mix(norm: str, state: DecisionState, share: jax.Array) -> jax.Array:
  """The image at a share of the way from the clean one to `point`.

  In linf the way is not straight: each pixel goes as far as a ball of that share lets it.
  """
  clean = state.example.clean
  delta = state.point - clean
  if norm == "linf":
    reach = share * jnp.abs(delta).max()
    return clean + jnp.clip(delta, -reach, reach)
  return clean + share * delta


def blends(norm: str, state: DecisionState, count: int) -> jax.Array:
  """What a bisection queries, [count, H, W, 3]: one image halves the interval, more cut deeper."""
  return jax.vmap(lambda share: _mix(norm, state, share))(_shares(state, count)[1:-1])


def bisected(norm: str, state: DecisionState, across: jax.Array, steps: int) -> DecisionState:
  """The state after `blends` were queried; the last of the steps leaves `point` at the boundary.

  `across` [count] bool says which of them fool.
  """
  shares = _shares(state, len(across))
  first = jnp.argmax(jnp.append(across, True))
  low, high = shares[first], shares[first + 1]
  last = state.turn + 1 >= steps
  return dataclasses.replace(
    state,
    point=jnp.where(last, _mix(norm, state, high), state.point),
    phase=jnp.where(last, SEARCH, BISECT),
    turn=jnp.where(last, 0, state.turn + 1),
    low=low,
    high=high,
  )


def bisection_steps(precision: float, count: int) -> int:
  """How many steps of `count` queries each narrow an interval to a share of `precision`."""
  return math.ceil(math.log(1 / precision) / math.log(count + 1))


def closest(
  ball: norms.Norm, state: DecisionState, points: jax.Array, logits: jax.Array, across: jax.Array
) -> DecisionState:
  """The state with the best image of all that was queried, if it is in the ball.

  Args:
    ball: its norm.
    state: of one example.
    points: [B, H, W, 3] float32, what was queried.
    logits: [B, K] float32.
    across: [B] bool, which of them fool.
  """
  costs = jax.vmap(best.cost, (None, None, 0, 0))(ball, state.example, points, logits)
  nearest = jnp.argmin(jnp.where(across, costs, jnp.inf))
  return best.keep(ball, state, points[nearest], logits[nearest], across[nearest])
