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
from jaxbench.attacks.parts.decision import DecisionState

_ESTIMATE, _JUMP = decision.SEARCH, decision.SEARCH + 1  # Phases.
_FIRST_PROBE = 0.1  # Size of the first estimate's noise, in pixel units.
_MOST_SAMPLES = 10_000  # Of one estimate.
_HALVINGS = 20  # Of a jump.
_FINEST = 1e-6  # Precision of a bisection in float32.


@struct.dataclass
class Estimate:
  """Which way is across, in the making."""

  jumps: jax.Array  # [] int32, made before it.
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
    batch: images that a step queries: some of the noise of an estimate, all the lengths of a jump
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
  options = _Options(norm, batch, samples, probe)
  return decision.attack(
    (
      decision.Phase(
        lambda key, state: decision.noise(key, state.example.clean, batch), decision.started
      ),
      decision.Phase(
        lambda key, state: decision.blends(norm, state, batch),
        lambda state, points, across: decision.bisected(
          norm, state, across, decision.bisection_steps(_precision(options, state), batch)
        ),
      ),
      decision.Phase(
        lambda key, state: _probes(options, key, state),
        lambda state, points, across: _estimated(options, state, points, across),
      ),
      decision.Phase(
        lambda key, state: _landings(options, state),
        lambda state, points, across: _jumped(options, state, points, across),
      ),
    ),
    lambda clean: _begin(jnp.int32(0), clean),
    ball=norms.get(norm),
    steps=steps,
    batch=batch,
    starts=starts,
    keep_going=keep_going,
  )


class _Options(NamedTuple):
  """What was asked of `hopskipjump`, where it is explained."""

  norm: str
  batch: int
  samples: int
  probe: float


def _begin(jumps: jax.Array, clean: jax.Array) -> Estimate:
  """The estimate before its first query, after so many jumps."""
  zeros = jnp.zeros_like(clean)
  return Estimate(jumps, noise=zeros, signed=zeros, balance=jnp.float32(0))


def _precision(options: _Options, state: DecisionState) -> float:
  """The share of the interval to which a bisection goes."""
  size = state.point.size
  return max(options.probe / (size if options.norm == "linf" else math.sqrt(size)), _FINEST)


def _probes(options: _Options, key: jax.Array, state: DecisionState) -> jax.Array:
  """Images [B, H, W, 3] around the point, all at the same distance in l2."""
  shape = (options.batch, *state.point.shape)
  if options.norm == "linf":
    noise = jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)
  else:
    noise = jax.random.normal(key, shape)
  later = options.probe * norms.get(options.norm).size(state.point - state.example.clean)
  size = jnp.where(state.memory.jumps == 0, _FIRST_PROBE, later)
  return state.point[None] + size * jax.vmap(norms.unit)(noise)


def _rounds(options: _Options, state: DecisionState) -> jax.Array:
  """The number of steps of an estimate, [] int32."""
  wanted = jnp.minimum(options.samples * _root(state), _MOST_SAMPLES)
  return jnp.ceil(wanted / options.batch).astype(jnp.int32)


def _estimated(
  options: _Options, state: DecisionState, points: jax.Array, across: jax.Array
) -> DecisionState:
  """The state after probes [B, H, W, 3] were queried, of which `across` [B] fool."""
  noise, signs = points - state.point[None], jnp.where(across, 1.0, -1.0)
  last = state.turn + 1 >= _rounds(options, state)
  estimate = dataclasses.replace(
    state.memory,
    noise=state.memory.noise + noise.sum(axis=0),
    signed=state.memory.signed + jnp.tensordot(signs, noise, 1),
    balance=state.memory.balance + signs.sum(),
  )
  return dataclasses.replace(
    state,
    phase=jnp.where(last, _JUMP, _ESTIMATE),
    turn=jnp.where(last, 0, state.turn + 1),
    memory=estimate,
  )


def _landings(options: _Options, state: DecisionState) -> jax.Array:
  """Images [B, H, W, 3] to which shorter and shorter jumps along the estimate lead."""
  ball, batch, estimate = norms.get(options.norm), options.batch, state.memory
  mean = estimate.balance / (_rounds(options, state) * batch).astype(jnp.float32)
  # The mean is taken off, which leaves less variance; but where all agree, nothing would be left.
  slope = estimate.signed - jnp.where(jnp.abs(mean) < 1, mean, 0.0) * estimate.noise
  size = ball.size(state.point - state.example.clean) / _root(state)
  halvings = (state.turn * batch + jnp.arange(batch)).astype(jnp.float32)
  direction = ball.steepest(slope, state.point)
  return state.point[None] + jnp.multiply.outer(size * 0.5**halvings, direction)


def _jumped(
  options: _Options, state: DecisionState, points: jax.Array, across: jax.Array
) -> DecisionState:
  """The state after landings [B, H, W, 3] were queried: at the first that fools, by `across` [B].

  If none does, it stays where it is.
  """
  landed = across.any()
  over = landed | ((state.turn + 1) * options.batch >= _HALVINGS)
  following = _begin(state.memory.jumps + 1, state.point)
  return dataclasses.replace(
    state,
    point=jnp.where(landed, points[jnp.argmax(across)], state.point),
    phase=jnp.where(over, decision.BISECT, _JUMP),
    turn=jnp.where(over, 0, state.turn + 1),
    low=jnp.float32(0),
    high=jnp.float32(1),
    memory=jax.tree.map(lambda x, y: jnp.where(over, x, y), following, state.memory),
  )


def _root(state: DecisionState) -> jax.Array:
  """The square root of the number of the jump in preparation, counted from 1."""
  return jnp.sqrt((state.memory.jumps + 1).astype(jnp.float32))
