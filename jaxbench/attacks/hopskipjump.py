"""HopSkipJump (Chen et al., 2020, arXiv:1904.02144), which sees nothing but predictions.

From an image that fools it goes towards the clean one as far as the boundary, estimates which way
is across from which of many images nearby fool, and jumps that way; and so on.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import decision, norms

_ESTIMATE, _JUMP = decision.SEARCH, decision.SEARCH + 1  # Phases.
_FIRST_PROBE = 0.1  # Size of the first estimate's noise, in pixel units.
_MOST_SAMPLES = 10_000  # Of one estimate.
_HALVINGS = 20  # Of a jump.
_FINEST = 1e-6  # Precision of a bisection in float32.


@struct.dataclass
class HopSkipJumpState(decision.DecisionState):
  """An estimate in the making."""

  jumps: jax.Array  # [] int32.
  noise: jax.Array  # [H, W, 3] float32: sum of the noise of an estimate.
  signed: jax.Array  # [H, W, 3] float32: sum of it, negative where it does not fool.
  balance: jax.Array  # [] float32: sum of the signs.


@functools.cache
def hopskipjump(
  *,
  queries: int = 25_000,
  norm: str = "l2",
  batch: int = 10,
  samples: int = 100,
  probe: float = 0.01,
  starts: int = 1000,
  keep_going: bool = False,
) -> Attack:
  """Estimates of the boundary's slope and jumps; it stops at the first image inside that fools.

  Args:
    queries: forward passes; only whole steps, of `batch` each, are made.
    norm: "l2" or "linf".
    batch: images that a step looks at: some of the noise of an estimate, all the lengths of a jump
      or many points of a bisection. With 1 the queries are the authors' one by one; more make
      fewer and larger passes, and cost some tens of queries more for each jump.
    samples: of the first estimate; the later ones grow with the square root of their number.
    probe: size of an estimate's noise in units of the distance. A bisection is as precise as fits
      it. The authors' is one over the number of pixels and channels, which is lost in the rounding
      of float32 for large images.
    starts: images of noise that are tried; if none fools, there is no search.
    keep_going: make all queries and return the smallest perturbation found, as
      `attacks.minimal_epsilon` asks for.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if min(batch, samples, starts) < 1 or probe <= 0:
    raise errors.InputError(
      "hopskipjump needs batch, samples, starts >= 1 and probe > 0, not "
      f"{batch}, {samples}, {starts}, {probe}"
    )
  steps = queries // batch
  if steps < 1:
    raise errors.InputError(
      f"hopskipjump makes {batch} queries in a step; queries={queries} are too few"
    )
  if norm not in ("l2", "linf"):
    raise errors.unknown("norm", norm, ("l2", "linf"))
  asked = _Asked(norm, batch, samples, probe)
  return decision.attack(
    HopSkipJumpState,
    _nothing_yet,
    looks_at=(
      lambda key, state: decision.noise(key, state.clean, batch),
      lambda key, state: decision.blends(norm, state, batch),
      lambda key, state: _probes(asked, key, state),
      lambda key, state: _landings(asked, state),
    ),
    moves=(
      decision.started,
      lambda state, points, across: decision.bisected(
        norm, state, across, decision.looks(_precision(asked, state), batch)
      ),
      lambda state, points, across: _estimated(asked, state, points, across),
      lambda state, points, across: _jumped(asked, state, points, across),
    ),
    ball=norms.get(norm),
    steps=steps,
    batch=batch,
    starts=starts,
    keep_going=keep_going,
  )


class _Asked(NamedTuple):
  """See `hopskipjump`."""

  norm: str
  batch: int
  samples: int
  probe: float


def _nothing_yet(image: jax.Array) -> dict[str, jax.Array]:
  zeros = jnp.zeros_like(image)
  return {"jumps": jnp.int32(0), "noise": zeros, "signed": zeros, "balance": jnp.float32(0)}


def _precision(asked: _Asked, state: HopSkipJumpState) -> float:
  """To which a bisection goes."""
  size = state.clean.size
  return max(asked.probe / (size if asked.norm == "linf" else math.sqrt(size)), _FINEST)


def _probes(asked: _Asked, key: jax.Array, state: HopSkipJumpState) -> jax.Array:
  """Noise around the point, of one size in l2 for all."""
  shape = (asked.batch, *state.clean.shape)
  if asked.norm == "linf":
    noise = jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)
  else:
    noise = jax.random.normal(key, shape)
  later = asked.probe * norms.get(asked.norm).size(state.point - state.clean)
  size = jnp.where(state.jumps == 0, _FIRST_PROBE, later)
  return state.point[None] + size * jax.vmap(norms.unit)(noise)


def _rounds(asked: _Asked, state: HopSkipJumpState) -> jax.Array:
  """Steps of an estimate."""
  wanted = jnp.minimum(asked.samples * _root(state), _MOST_SAMPLES)
  return jnp.ceil(wanted / asked.batch).astype(jnp.int32)


def _estimated(
  asked: _Asked, state: HopSkipJumpState, points: jax.Array, across: jax.Array
) -> HopSkipJumpState:
  """After a look at probes."""
  noise, signs = points - state.point[None], jnp.where(across, 1.0, -1.0)
  last = state.turn + 1 >= _rounds(asked, state)
  return dataclasses.replace(
    state,
    phase=jnp.where(last, _JUMP, _ESTIMATE),
    turn=jnp.where(last, 0, state.turn + 1),
    noise=state.noise + noise.sum(axis=0),
    signed=state.signed + jnp.tensordot(signs, noise, 1),
    balance=state.balance + signs.sum(),
  )


def _landings(asked: _Asked, state: HopSkipJumpState) -> jax.Array:
  """Shorter and shorter jumps along the estimate."""
  ball, batch = norms.get(asked.norm), asked.batch
  mean = state.balance / (_rounds(asked, state) * batch).astype(jnp.float32)
  # The mean is taken off, which leaves less variance; but where all agree, nothing would be left.
  slope = state.signed - jnp.where(jnp.abs(mean) < 1, mean, 0.0) * state.noise
  size = ball.size(state.point - state.clean) / _root(state)
  halvings = (state.turn * batch + jnp.arange(batch)).astype(jnp.float32)
  climbed = ball.climb(slope, state.point)
  return state.point[None] + jnp.multiply.outer(size * 0.5**halvings, climbed)


def _jumped(
  asked: _Asked, state: HopSkipJumpState, points: jax.Array, across: jax.Array
) -> HopSkipJumpState:
  """After a look at landings: to the first that fools, or nowhere if none does."""
  found = across.any()
  over = found | ((state.turn + 1) * asked.batch >= _HALVINGS)
  return dataclasses.replace(
    state,
    point=jnp.where(found, points[jnp.argmax(across)], state.point),
    phase=jnp.where(over, decision.BISECT, _JUMP),
    turn=jnp.where(over, 0, state.turn + 1),
    low=jnp.float32(0),
    high=jnp.float32(1),
    jumps=jnp.where(over, state.jumps + 1, state.jumps),
    noise=jnp.where(over, 0.0, state.noise),
    signed=jnp.where(over, 0.0, state.signed),
    balance=jnp.where(over, 0.0, state.balance),
  )


def _root(state: HopSkipJumpState) -> jax.Array:
  """Of the number of the jump that is being prepared, counted from 1."""
  return jnp.sqrt((state.jumps + 1).astype(jnp.float32))
