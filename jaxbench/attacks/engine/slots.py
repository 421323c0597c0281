"""Slots on one device: each works on one example until it is finished, then takes the next one.

This is continuous batching. `advance` steps all slots until every waiting example has found a
place; the finished ones leave as the fresh ones come in, inside the compiled loop, so a slot is
empty only when nobody waits.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench.attacks.base import Attack, Classifier, as_float
from jaxbench.attacks.engine.view import View
from jaxbench.attacks.parts import strongest

NOBODY = -1  # The row of an empty slot.
NEXT_PROBE = 0.75  # Between the bounds of a bisection: successes come sooner than failures.


class Search(NamedTuple):
  """What a slot program is compiled for."""

  attack: Attack
  quantize: bool = False  # Classify and return images rounded to 8 bits.
  tolerance: float | None = None  # Bisect for the smallest epsilon, to so much; None: one epsilon.


@struct.dataclass
class Waiting:
  """What the host sends of an example."""

  row: jax.Array  # [] int32, or NOBODY.
  words: jax.Array  # [2] uint32, of its PRNG key.
  image: jax.Array  # [H, W, 3] uint8 or float32 in [0, 1].
  label: jax.Array  # [] int32, as the attack counts classes.
  epsilon: jax.Array  # [] float32; for a bisection, the largest to try.
  handicap: jax.Array  # [] float32, in logits: see `View`.


@struct.dataclass
class Job:
  """One example from its admission to its departure."""

  row: jax.Array  # [] int32, or NOBODY.
  words: jax.Array  # [2] uint32.
  clean: jax.Array  # [H, W, 3] float32 in [0, 1].
  label: jax.Array  # [] int32, as the attack counts classes.
  handicap: jax.Array  # [] float32, in logits.
  radius: jax.Array  # [] float32: the largest epsilon.
  epsilon: jax.Array  # [] float32, of the run in progress.
  run: jax.Array  # [] int32, restarts and targets before this one.
  active: jax.Array  # [] bool: needs its slot.
  image: jax.Array  # [H, W, 3] float32: the result so far.
  fooled: jax.Array  # [] bool: `image` did, says the attack.
  strength: jax.Array  # [] float32, of `image`, among several runs.
  steps: jax.Array  # [] int32, of all runs that have ended.
  low: jax.Array  # [] float32: largest epsilon that failed, in a bisection.
  high: jax.Array  # [] float32: size of the smallest perturbation that fooled.


@struct.dataclass
class Slots:
  """S slots; arrays [S, ...]."""

  job: Job
  state: Any  # Of the attack.


@struct.dataclass
class Orders:
  """From the host to one device."""

  fresh: jax.Array  # [1] int32: so many rows of the waiting room hold examples; the first ones.
  limit: jax.Array  # [1] int32: return after so many steps.
  floor: jax.Array  # [1] int32: with nobody waiting, return when so few slots are active.
  stage: jax.Array  # [1] int32: of the cascade; each draws its own random numbers.


@struct.dataclass
class Report:
  """From one device to the host."""

  taken: jax.Array  # [1] int32: waiting examples that found a slot.
  occupied: jax.Array  # [1] int32: slots whose example has not left.
  steps: jax.Array  # [1] int32.
  useful: jax.Array  # [1] int32: steps of single slots that worked on an example.


def vacant(search: Search, waiting: Waiting) -> Slots:
  """As many empty slots as there are waiting rows, on the host; nothing is compiled for them."""
  slots = jax.tree.map(_blank, shapes(search, waiting))
  job = dataclasses.replace(slots.job, row=np.full_like(slots.job.row, NOBODY))
  return Slots(job, dataclasses.replace(slots.state, done=np.ones_like(slots.state.done)))


def shapes(search: Search, waiting: Waiting) -> Slots:
  """Shapes of as many slots as there are waiting rows, or shapes of such."""

  def begin(waiting: Waiting) -> Slots:
    job = _admit(waiting)
    return Slots(job, _start(search.attack, job, jnp.int32(0)))

  return jax.eval_shape(begin, waiting)


def _blank(like: jax.ShapeDtypeStruct) -> Any:
  if jax.dtypes.issubdtype(like.dtype, jax.dtypes.prng_key):
    return jax.random.split(jax.random.key(0), like.shape)
  return np.zeros(like.shape, like.dtype)


def compact(size: int) -> Callable[..., Slots]:
  """A function (classifier, slots) -> `size` slots, the active ones first."""

  def keep(_: Classifier, slots: Slots) -> Slots:
    order = jnp.argsort(~slots.job.active, stable=True)[:size]
    return jax.tree.map(lambda x: x[order], slots)

  return keep


def advance(search: Search) -> Callable[..., tuple[Slots, Job, Report]]:
  """A function (classifier, slots, waiting, orders) -> slots, the jobs that left, report.

  Rows of the jobs that did not leave are NOBODY.
  """
  attack, quantize = search.attack, search.attack.norm.quantize if search.quantize else None

  def step(classifier: Classifier, job: Job, state: Any) -> Any:
    view = View(classifier, job.clean, job.label, job.handicap, quantize)
    return attack.step(view, state)

  conclude = jax.vmap(_repeated(search) if search.tolerance is None else _bisected(search))

  def refill(slots: Slots, left: Job, taken: jax.Array, incoming: Job, orders: Orders) -> Any:
    """Swaps finished jobs with waiting ones; starts the runs that are due."""
    job, fresh = slots.job, orders.fresh[0]
    place = taken + jnp.cumsum(~job.active, dtype=jnp.int32) - 1
    leaves = ~job.active & (place < fresh)
    size = len(leaves)
    target = jnp.where(leaves, place, size)
    left = jax.tree.map(lambda x, y: x.at[target].set(y, mode="drop"), left, job)
    seat = jnp.minimum(place, size - 1)
    job = where(leaves, jax.tree.map(lambda x: x[seat], incoming), job)
    state = where(job.active & slots.state.done, _start(attack, job, orders.stage[0]), slots.state)
    return Slots(job, state), left, taken + leaves.sum(dtype=jnp.int32)

  def run(
    classifier: Classifier, slots: Slots, waiting: Waiting, orders: Orders
  ) -> tuple[Slots, Job, Report]:
    fresh, limit, floor = orders.fresh[0], orders.limit[0], orders.floor[0]
    incoming = _admit(waiting)
    nobody = dataclasses.replace(incoming, row=jnp.full_like(incoming.row, NOBODY))

    def unfinished(carry: Any) -> jax.Array:
      (slots, _, taken), steps, _ = carry
      going_on = jnp.where(fresh > 0, taken < fresh, slots.job.active.sum() > floor)
      return going_on & (steps < limit)

    def iterate(carry: Any) -> Any:
      places, steps, useful = carry
      job, done, taken = places[0].job, places[0].state.done, places[2]
      due = (job.active & done).any() | ((~job.active).any() & (taken < fresh))
      slots, left, taken = jax.lax.cond(
        due,
        lambda slots, left, taken: refill(slots, left, taken, incoming, orders),
        lambda *unchanged: unchanged,
        *places,
      )
      working = ~slots.state.done
      stepped = jax.vmap(step, (None, 0, 0))(classifier, slots.job, slots.state)
      state = where(working, stepped, slots.state)
      job = where(working & state.done, conclude(slots.job, state), slots.job)
      return (Slots(job, state), left, taken), steps + 1, useful + working.sum(dtype=jnp.int32)

    carry = ((slots, nobody, jnp.int32(0)), jnp.int32(0), jnp.int32(0))
    (slots, left, taken), steps, useful = jax.lax.while_loop(unfinished, iterate, carry)
    # With nobody waiting, the finished leave all the same.
    gone = ~slots.job.active & (fresh == 0)
    left = where(gone, slots.job, left)
    row = jnp.where(gone, NOBODY, slots.job.row)
    slots = dataclasses.replace(slots, job=dataclasses.replace(slots.job, row=row))
    occupied = (row != NOBODY).sum(dtype=jnp.int32)
    return slots, left, Report(taken[None], occupied[None], steps[None], useful[None])

  return run


def _admit(waiting: Waiting) -> Job:
  """Jobs [S] of waiting examples [S]."""
  image = as_float(waiting.image)
  none = jnp.zeros_like(waiting.row)
  return Job(
    row=waiting.row,
    words=waiting.words,
    clean=image,
    label=waiting.label,
    handicap=waiting.handicap,
    radius=waiting.epsilon,
    epsilon=waiting.epsilon,
    run=none,
    active=waiting.row != NOBODY,
    image=image,
    fooled=none != 0,
    strength=jnp.full_like(waiting.epsilon, -jnp.inf),
    steps=none,
    low=jnp.zeros_like(waiting.epsilon),
    high=jnp.full_like(waiting.epsilon, jnp.inf),
  )


def _start(attack: Attack, job: Job, stage: jax.Array) -> Any:
  """States [S] at the beginning of a run."""
  keys = jax.random.wrap_key_data(job.words, impl="threefry2x32")
  keys = jax.vmap(jax.random.fold_in, (0, None))(keys, stage)
  return jax.vmap(attack.init)(keys, job.clean, job.label, job.epsilon, job.run)


def _repeated(search: Search) -> Callable[[Job, Any], Job]:
  """After a run at one epsilon: the next restart or target, until one fools or all are made."""
  attack = search.attack
  makes_all = attack.keep_going or attack.minimizes

  def conclude(job: Job, state: Any) -> Job:
    image, run = _returned(search, job, state), job.run + 1
    strength, better = job.strength, jnp.bool_(True)
    if attack.runs > 1:
      strength = state.strength
      better = job.run == 0
      better |= strongest.stronger(state.fooled, strength, job.fooled, job.strength)
    return dataclasses.replace(
      job,
      run=run,
      active=(makes_all | ~state.fooled) & (run < attack.runs),
      image=jnp.where(better, image, job.image),
      fooled=job.fooled | state.fooled,
      strength=jnp.where(better, strength, job.strength),
      steps=job.steps + state.count,
    )

  return conclude


def _returned(search: Search, job: Job, state: Any) -> jax.Array:
  """The image of a run that is over, as it was classified."""
  if not search.quantize:
    return state.image
  return search.attack.norm.quantize(job.clean, state.image)


@struct.dataclass
class Bracket:
  """Where the smallest epsilon of an example lies, and what to try next; float32 of one shape."""

  low: jax.Array  # Largest epsilon that failed.
  high: jax.Array  # Size of the smallest perturbation that fooled; infinite before.
  probe: jax.Array  # The next epsilon.
  better: jax.Array  # bool: the last run has found a smaller perturbation than those before.
  unsettled: jax.Array  # bool: there is something to gain from the next run.


def narrowed(
  low: Any,
  high: Any,
  epsilon: Any,
  size: Any,
  fooled: Any,
  attack: Attack,
  tolerance: float,
  xp: Any = jnp,
) -> Bracket:
  """The bracket after a run at `epsilon` made a perturbation of `size`, which `fooled` or not.

  Arrays are those of `xp`: of jax.numpy in a slot; of numpy on the host, where nothing is compiled.
  """
  better = fooled & (size < high)
  high = xp.where(better, size, high)
  found, smaller = xp.isfinite(high), NEXT_PROBE * epsilon
  # Where nothing has fooled yet, smaller ones may: all of them, if the attack overshoots.
  searching = ~found & (not attack.monotone) & (smaller > tolerance)
  low = xp.where(~better & found, epsilon, low)
  probe = xp.where(searching, smaller, low + NEXT_PROBE * (high - low))
  return Bracket(low, high, probe, better, searching | (found & (high - low > tolerance)))


def _bisected(search: Search) -> Callable[[Job, Any], Job]:
  """After a run of a bisection: another epsilon between the largest failure and the best success.

  Nothing is taken for granted of epsilons that were not tried: the best image found is kept, and
  its own size is the upper bound.
  """
  attack, tolerance = search.attack, search.tolerance
  assert tolerance is not None
  probing = not attack.minimizes  # Else it has looked for the smallest one by itself.

  def conclude(job: Job, state: Any) -> Job:
    image = _returned(search, job, state)
    size = attack.norm.size(image - job.clean)
    bracket = narrowed(job.low, job.high, job.epsilon, size, state.fooled, attack, tolerance)
    last = job.run + 1 >= attack.runs
    settled = last if attack.minimizes else state.fooled | last
    return dataclasses.replace(
      job,
      epsilon=jnp.where(settled, bracket.probe, job.epsilon),
      run=jnp.where(settled, 0, job.run + 1),
      active=~settled | (probing & bracket.unsettled),
      image=jnp.where(bracket.better, image, job.image),
      fooled=job.fooled | state.fooled,
      steps=job.steps + state.count,
      low=jnp.where(settled, bracket.low, job.low),
      high=bracket.high,
    )

  return conclude


def where(condition: jax.Array, first: Any, second: Any) -> Any:
  """Selects rows of pytrees by a [S] condition."""

  def select(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.where(condition.reshape(-1, *(1,) * (x.ndim - 1)), x, y)

  return jax.tree.map(select, first, second)
