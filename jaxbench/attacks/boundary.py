"""The boundary attack (Brendel et al., 2018, arXiv:1712.04248), which sees nothing but predictions.

From an image that fools it walks at random, around the clean image and a little towards it, and
takes the steps that still fool. How long steps are follows from how many do.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import decision, norms
from jaxbench.attacks.parts.decision import DecisionState

_HALVINGS = 10  # Of the way from the clean image to the noise that fools.
_EVERY = 10  # So many steps apart, one is around alone, to see whether that still fools.
_TRIALS = 30  # Between changes of a length.
_FACTOR = 1.5  # Of a change.
# Above and below these shares of steps that fool, lengths change: of those around alone, of others.
_OFTEN, _RARE = (0.5, 0.25), (0.2, 0.1)
_CONVERGED = 1e-7  # A length towards the clean image that ends the walk.


@struct.dataclass
class Walk:
  """Lengths of steps, and how they fare."""

  around: jax.Array  # [] float32: length of a step around, in units of the distance.
  towards: jax.Array  # [] float32: and towards the clean image.
  tried: jax.Array  # [2] int32: steps around alone, and others, since a length changed.
  held: jax.Array  # [2] int32: those of them that fooled.


@functools.cache
def boundary(
  *,
  queries: int = 25_000,
  around: float = 0.1,
  towards: float = 0.1,
  starts: int = 1000,
  keep_going: bool = False,
) -> Attack:
  """Random walk along the boundary, in l2; it stops at the first image inside the ball that fools.

  Args:
    queries: forward passes, one a step.
    around: length of the first steps around the clean image, in units of the distance from it.
    towards: length of the first steps towards it. The authors begin with 0.01 for both, which is
      slower with few queries.
    starts: images of noise that are tried; if none fools, there is no walk.
    keep_going: make all queries and return the smallest perturbation found, as
      `attacks.minimal_epsilon` asks for.

  Raises:
    InputError: a value is out of range.
  """
  if min(queries, starts) < 1 or around <= 0 or not 0 < towards < 1:
    raise errors.InputError(
      "boundary needs queries, starts >= 1, around > 0 and towards in (0, 1), not "
      f"{queries}, {starts}, {around}, {towards}"
    )

  def remember(_: jax.Array) -> Walk:
    none = jnp.zeros(2, jnp.int32)
    return Walk(jnp.float32(around), jnp.float32(towards), tried=none, held=none)

  return decision.attack(
    (
      decision.Phase(
        lambda key, state: decision.noise(key, state.example.clean, 1), decision.started
      ),
      decision.Phase(
        lambda key, state: decision.blends("l2", state, 1),
        lambda state, points, across: decision.bisected("l2", state, across, _HALVINGS),
      ),
      decision.Phase(
        lambda key, state: _proposal(key, state)[None],
        lambda state, points, across: _walked(state, points[0], across[0]),
      ),
    ),
    remember,
    ball=norms.get("l2"),
    steps=queries,
    batch=1,
    starts=starts,
    keep_going=keep_going,
    converged=lambda state: state.memory.towards < _CONVERGED,
  )


def _only_around(state: DecisionState) -> jax.Array:
  return state.turn % _EVERY == _EVERY - 1


def _proposal(key: jax.Array, state: DecisionState) -> jax.Array:
  """A step around the clean image, at the same distance, and most times one towards it."""
  clean, walk = state.example.clean, state.memory
  delta = state.point - clean
  distance, direction = norms.euclidean(delta), norms.unit(delta)
  noise = jax.random.normal(key, delta.shape)
  noise = norms.unit(noise - (noise * direction).sum() * direction)
  aside = delta + walk.around * distance * noise
  aside = jnp.clip(clean + aside / jnp.sqrt(1 + jnp.square(walk.around)), 0.0, 1.0)
  delta = aside - clean
  wanted = (1 - walk.towards) * distance  # The box may have brought it as near already.
  share = jnp.clip(wanted / jnp.maximum(norms.euclidean(delta), 1e-12), 0.0, 1.0)
  return jnp.where(_only_around(state), aside, clean + share * delta)


def _walked(state: DecisionState, point: jax.Array, across: jax.Array) -> DecisionState:
  """The state after a proposal [H, W, 3] was queried, which fools where `across` [] bool."""
  aside, walk = _only_around(state), state.memory
  now = jnp.stack([aside, ~aside])
  tried, held = walk.tried + now.astype(jnp.int32), walk.held + (now & across).astype(jnp.int32)
  full, share = tried >= _TRIALS, held / jnp.maximum(tried, 1)
  longer, shorter = full & (share > jnp.array(_OFTEN)), full & (share < jnp.array(_RARE))
  factors = jnp.where(longer, _FACTOR, jnp.where(shorter, 1 / _FACTOR, 1.0))
  walk = Walk(
    around=walk.around * factors[0],
    towards=walk.towards * factors[0] * factors[1],
    tried=jnp.where(full, 0, tried),
    held=jnp.where(full, 0, held),
  )
  point = jnp.where(across & ~aside, point, state.point)
  return dataclasses.replace(state, point=point, turn=state.turn + 1, memory=walk)
