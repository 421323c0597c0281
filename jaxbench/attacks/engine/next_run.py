"""What follows a run of an attack: another restart or target, another epsilon, or the end."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.attacks.base import Attack, kept
from jaxbench.attacks.engine.job import Job, Search
from jaxbench.attacks.parts import strongest

NEXT_PROBE = 0.75  # Between the bounds of a bisection: successes come sooner than failures.


def repeated(search: Search) -> Callable[[Job, Any], Job]:
  """A function (job, state) -> the job after a run at one epsilon.

  It goes on with the next restart or target, until one fools or all are made.
  """
  attack = search.attack
  makes_all = attack.keep_going or attack.minimizes

  def conclude(job: Job, state: Any) -> Job:
    image, run = _returned(search, job, state), job.run + 1
    strength, better = job.strength, jnp.bool_(True)
    if attack.runs > 1:
      strength = state.strength
      better = job.run == 0
      better |= strongest.stronger(state.progress.fooled, strength, job.fooled, job.strength)
    return dataclasses.replace(
      job,
      run=run,
      active=(makes_all | ~state.progress.fooled) & (run < attack.runs),
      image=jnp.where(better, image, job.image),
      fooled=job.fooled | state.progress.fooled,
      strength=jnp.where(better, strength, job.strength),
      steps=job.steps + state.progress.count,
    )

  return conclude


def _returned(search: Search, job: Job, state: Any) -> jax.Array:
  """The image [H, W, 3] of a run that is over, as it was classified."""
  image = kept(state.image, job.clean, job.mask)
  return search.attack.norm.quantize(job.clean, image) if search.quantize else image


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
  """The bracket after a run at one epsilon; all arrays are of one shape.

  Args:
    low: float32, the largest epsilon that failed before.
    high: float32, the size of the smallest perturbation that fooled before, or infinity.
    epsilon: float32, of the run.
    size: float32, of the perturbation that it made.
    fooled: bool, whether that fooled.
    attack: what was run.
    tolerance: the width of a bracket that is narrow enough.
    xp: jax.numpy in a slot; numpy on the host, where nothing is compiled.
  """
  better = fooled & (size < high)
  high = xp.where(better, size, high)
  fallen, smaller = xp.isfinite(high), NEXT_PROBE * epsilon
  # Where nothing has fooled yet, smaller ones may: all of them, if the attack overshoots.
  searching = ~fallen & (not attack.monotone) & (smaller > tolerance)
  low = xp.where(~better & fallen, epsilon, low)
  probe = xp.where(searching, smaller, low + NEXT_PROBE * (high - low))
  return Bracket(low, high, probe, better, searching | (fallen & (high - low > tolerance)))


def bisected(search: Search) -> Callable[[Job, Any], Job]:
  """A function (job, state) -> the job after a run of a bisection.

  It goes on with another epsilon between the largest that failed and the smallest that fooled.
  Nothing is taken for granted of epsilons that were not tried: the best image found is kept, and
  its own size is the upper bound.
  """
  attack, tolerance = search.attack, search.tolerance
  assert tolerance is not None
  probing = not attack.minimizes  # Else it has looked for the smallest one by itself.

  def conclude(job: Job, state: Any) -> Job:
    image = _returned(search, job, state)
    size = attack.norm.size(image - job.clean)
    bracket = narrowed(
      job.low, job.high, job.epsilon, size, state.progress.fooled, attack, tolerance
    )
    last = job.run + 1 >= attack.runs
    settled = last if attack.minimizes else state.progress.fooled | last
    return dataclasses.replace(
      job,
      epsilon=jnp.where(settled, bracket.probe, job.epsilon),
      run=jnp.where(settled, 0, job.run + 1),
      active=~settled | (probing & bracket.unsettled),
      image=jnp.where(bracket.better, image, job.image),
      fooled=job.fooled | state.progress.fooled,
      steps=job.steps + state.progress.count,
      low=jnp.where(settled, bracket.low, job.low),
      high=bracket.high,
    )

  return conclude
