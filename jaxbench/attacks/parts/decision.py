"""What decision-based attacks share: the way across the boundary, and from there back to it.

They see nothing but whether an image fools. In a step they look at a fixed number of images, and
what they look for is a phase of their state: an image of noise that fools, from which to start; the
boundary between it and the clean image; and then what the attack does by itself. So slots of all
phases share one program, and an example that finds no start holds up nobody.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.attacks.base import Attack, Classifier
from jaxbench.attacks.parts import best, losses, norms

START, BISECT, SEARCH = range(3)  # Phases; an attack may split SEARCH, and counts on from it.


@struct.dataclass
class DecisionState:
  """One example; an attack adds what it needs besides."""

  key: jax.Array  # PRNG key of the example.
  clean: jax.Array  # [H, W, 3] float32 in [0, 1].
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  point: jax.Array  # [H, W, 3] float32 in [0, 1]: across the boundary, not bound to the ball.
  label: jax.Array  # [] int32.
  epsilon: jax.Array  # [] float32.
  distance: jax.Array  # [] float32: of the smallest perturbation found.
  phase: jax.Array  # [] int32.
  turn: jax.Array  # [] int32, steps in this phase.
  low: jax.Array  # [] float32: share of the way to `point` that does not fool.
  high: jax.Array  # [] float32: share that does.
  count: jax.Array  # [] int32, steps made.
  fooled: jax.Array  # [] bool.
  done: jax.Array  # [] bool.


Look = Callable[[jax.Array, Any], jax.Array]  # (key, state) -> images [B, H, W, 3] to query.
# After a look: (state, those images, which of them fool [B]) -> state.
Move = Callable[[Any, jax.Array, jax.Array], Any]


def attack(
  kind: Callable[..., Any],
  own: Callable[[jax.Array], dict[str, jax.Array]],
  looks_at: tuple[Look, ...],
  moves: tuple[Move, ...],
  ball: norms.Norm,
  *,
  steps: int,
  batch: int,
  starts: int,
  keep_going: bool,
  over: Callable[[Any], Any] = lambda state: False,
) -> Attack:
  """An attack of phases.

  Args:
    kind: of its state, a DecisionState.
    own: from the clean image, what that has besides at the beginning.
    looks_at: for each phase, what is queried; cut to [0, 1].
    moves: for each phase, what follows.
    ball: its norm.
    steps: the most.
    batch: queries in a step.
    starts: images of noise that are tried.
    keep_going: make all steps, and return the smallest perturbation found.
    over: whether there is nothing left to gain.
  """

  def init(
    key: jax.Array,
    image: jax.Array,
    label: jax.Array,
    epsilon: jax.Array,
    run: jax.Array | int = 0,
  ) -> Any:
    return kind(
      key=key,
      clean=image,
      image=image,
      point=image,
      label=label,
      epsilon=epsilon,
      distance=jnp.float32(jnp.inf),
      phase=jnp.int32(START),
      turn=jnp.int32(0),
      low=jnp.float32(0),
      high=jnp.float32(1),
      count=jnp.int32(0),
      fooled=jnp.bool_(False),
      done=jnp.bool_(False),
      **own(image),
    )

  def step(classifier: Classifier, state: Any) -> Any:
    key = jax.random.fold_in(state.key, state.count)
    points = jnp.clip(jax.lax.switch(state.phase, looks_at, key, state), 0.0, 1.0)
    logits = classifier(points)
    across = jax.vmap(losses.fooled, (0, None))(logits, state.label)
    state = closest(ball, state, points, logits, across)
    state = jax.lax.switch(state.phase, moves, state, points, across)
    count = state.count + 1
    lost = (state.phase == START) & (state.turn * batch >= starts)
    ended = (count >= steps) | lost | over(state)
    return dataclasses.replace(
      state, count=count, done=ended if keep_going else ended | state.fooled
    )

  return Attack(
    init, step, ball, steps, forwards=batch, backwards=0, minimizes=keep_going, decisions=True
  )


def noise(key: jax.Array, image: jax.Array, count: int) -> jax.Array:
  """Images of uniform noise, [count, H, W, 3], made of square blocks of random size.

  Pixels of noise look alike to a classifier, which may take all of them for the same class.
  """
  height, width = image.shape[:2]
  largest = int(math.log2(min(height, width)))

  def one(key: jax.Array) -> jax.Array:
    size, pixels = jax.random.split(key)
    side = 2 ** jax.random.randint(size, (), 0, largest + 1)
    values = jax.random.uniform(pixels, image.shape, image.dtype)
    return values[jnp.arange(height) // side][:, jnp.arange(width) // side]

  return jax.vmap(one)(jax.random.split(key, count))


def started(state: Any, points: jax.Array, across: jax.Array) -> Any:
  """After a look at noise [B, H, W, 3]: the first that fools, by `across` [B], becomes `point`."""
  found = across.any()
  return dataclasses.replace(
    state,
    point=jnp.where(found, points[jnp.argmax(across)], state.point),
    phase=jnp.where(found, BISECT, START),
    turn=jnp.where(found, 0, state.turn + 1),
    low=jnp.float32(0),
    high=jnp.float32(1),
  )


def _shares(state: Any, count: int) -> jax.Array:
  """The ends of the interval of a bisection, and `count` shares between them, [count + 2]."""
  return state.low + (state.high - state.low) * jnp.linspace(0.0, 1.0, count + 2)


def _mix(norm: str, state: Any, share: jax.Array) -> jax.Array:
  """The image at a share of the way from the clean one to `point`.

  In linf the way is not straight: each pixel goes as far as a ball of that share lets it.
  """
  delta = state.point - state.clean
  if norm == "linf":
    reach = share * jnp.abs(delta).max()
    return state.clean + jnp.clip(delta, -reach, reach)
  return state.clean + share * delta


def blends(norm: str, state: Any, count: int) -> jax.Array:
  """What a bisection looks at, [count, H, W, 3]: one image halves the interval, more cut deeper."""
  return jax.vmap(lambda share: _mix(norm, state, share))(_shares(state, count)[1:-1])


def bisected(norm: str, state: Any, across: jax.Array, looks: int) -> Any:
  """After a look at `blends`; the last look leaves `point` at the boundary."""
  shares = _shares(state, len(across))
  first = jnp.argmax(jnp.append(across, True))
  low, high = shares[first], shares[first + 1]
  last = state.turn + 1 >= looks
  return dataclasses.replace(
    state,
    point=jnp.where(last, _mix(norm, state, high), state.point),
    phase=jnp.where(last, SEARCH, BISECT),
    turn=jnp.where(last, 0, state.turn + 1),
    low=low,
    high=high,
  )


def looks(precision: float, count: int) -> int:
  """How many looks at `count` images each narrow an interval to a share of `precision`."""
  return math.ceil(math.log(1 / precision) / math.log(count + 1))


def closest(
  ball: norms.Norm, state: Any, points: jax.Array, logits: jax.Array, across: jax.Array
) -> Any:
  """Keeps the best of all that was looked at, as `image` if it is in the ball."""
  costs = jax.vmap(best.cost, (None, None, 0, 0))(ball, state, points, logits)
  nearest = jnp.argmin(jnp.where(across, costs, jnp.inf))
  return best.keep(ball, state, points[nearest], logits[nearest], across[nearest])
