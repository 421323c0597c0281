"""Slots on one device: each works on one example until it is finished, then takes the next one.

This is continuous batching. `advance` steps all slots until every waiting example has found a
place; the finished ones leave as the fresh ones come in, inside the compiled loop, so a slot is
empty only when nobody waits.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import threefry
from jaxbench.attacks.base import Classifier, Example
from jaxbench.attacks.engine import next_run
from jaxbench.attacks.engine.job import NOBODY, Job, Search, Waiting, admit
from jaxbench.attacks.engine.view import View


@struct.dataclass
class Slots:
  """S slots; arrays [S, ...]."""

  job: Job
  state: Any  # Of the attack.


@struct.dataclass
class Orders:
  """What the host tells one device to do."""

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
  progress = slots.state.progress
  progress = dataclasses.replace(progress, done=np.ones_like(progress.done))
  return Slots(job, dataclasses.replace(slots.state, progress=progress))


def shapes(search: Search, waiting: Waiting) -> Slots:
  """Shapes of as many slots as there are waiting rows, or shapes of such."""
  return _begin.eval_shape(search, waiting)


@functools.partial(jax.jit, static_argnums=0)  # Traced once, for all cells of an attack.
def _begin(search: Search, waiting: Waiting) -> Slots:
  job = admit(waiting)
  return Slots(job, _start(search, job, jnp.int32(0)))


def _blank(like: jax.ShapeDtypeStruct) -> Any:
  if jax.dtypes.issubdtype(like.dtype, jax.dtypes.prng_key):
    return threefry.wrap(np.zeros((*like.shape, 2), np.uint32))
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
    mask = None if attack.transforms else job.mask
    view = View(classifier, job.clean, job.label, job.handicap, mask, quantize)
    return attack.step(view, state)

  conclude = jax.vmap(
    next_run.repeated(search) if search.tolerance is None else next_run.bisected(search)
  )

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
    state = where(
      job.active & slots.state.progress.done, _start(search, job, orders.stage[0]), slots.state
    )
    return Slots(job, state), left, taken + leaves.sum(dtype=jnp.int32)

  def run(
    classifier: Classifier, slots: Slots, waiting: Waiting, orders: Orders
  ) -> tuple[Slots, Job, Report]:
    fresh, limit, floor = orders.fresh[0], orders.limit[0], orders.floor[0]
    incoming = admit(waiting)
    nobody = dataclasses.replace(incoming, row=jnp.full_like(incoming.row, NOBODY))

    def unfinished(carry: Any) -> jax.Array:
      (slots, _, taken), steps, _ = carry
      going_on = jnp.where(fresh > 0, taken < fresh, slots.job.active.sum() > floor)
      return going_on & (steps < limit)

    def iterate(carry: Any) -> Any:
      places, steps, useful = carry
      job, done, taken = places[0].job, places[0].state.progress.done, places[2]
      due = (job.active & done).any() | ((~job.active).any() & (taken < fresh))
      slots, left, taken = jax.lax.cond(
        due,
        lambda slots, left, taken: refill(slots, left, taken, incoming, orders),
        lambda *unchanged: unchanged,
        *places,
      )
      working = ~slots.state.progress.done
      stepped = jax.vmap(step, (None, 0, 0))(classifier, slots.job, slots.state)
      state = where(working, stepped, slots.state)
      job = where(working & state.progress.done, conclude(slots.job, state), slots.job)
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


def _start(search: Search, job: Job, stage: jax.Array) -> Any:
  """States [S] at the beginning of a run."""
  keys = threefry.wrap(job.words)
  keys = jax.vmap(jax.random.fold_in, (0, None))(keys, stage)
  label = jnp.zeros_like(job.label) if search.aimed else job.label
  examples = Example(keys, job.clean, label, job.epsilon, job.mask, job.start)
  return jax.vmap(search.attack.init)(examples, job.run)


def where(condition: jax.Array, first: Any, second: Any) -> Any:
  """Selects rows of pytrees by a [S] condition."""

  def select(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.where(condition.reshape(-1, *(1,) * (x.ndim - 1)), x, y)

  return jax.tree.map(select, first, second)
