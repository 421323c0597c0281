"""FMN, the fast minimum-norm attack (Pintor et al., 2021, arXiv:2102.12827).

It looks for the smallest perturbation: steps along the gradient of the margin, each projected into
a ball around the image, which shrinks where the last image fooled and grows where not. Until
something has fooled, it grows from the linearised boundary, if that is farther than its own. (In
the paper it ends just there, and may come ever nearer to the boundary without being across.)

The margin alone would lead to the class that is second at the image, and keep to it for ever,
though another's boundary is nearer: no number of steps helps. So once something has fooled, the
largest logit is a smooth maximum, whose temperature soon falls from the lead at the image to
nothing. It sees several classes, not all: targeted at each in turn, FMN may still find less.
"""

import dataclasses
import functools
from typing import Annotated

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import best, hyperplane, losses, norms, randomised

_LAST_STRIDE = 0.01  # In units of the first one.
_LAST_GAMMA = 0.001
_COOLING = 8.0  # Power of the cosine: a slower one costs linf and l1 on robust models.
_COLDEST = 1e-30  # Temperature, lest it be zero.


@struct.dataclass
class FMNState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  point: jax.Array  # [H, W, 3] float32 in [0, 1]: the search, not bound to the ball.
  lead: jax.Array  # [] float32, of the label over the second class at the image itself.
  radius: jax.Array  # [] float32, of the ball of the search.
  distance: jax.Array  # [] float32: of the smallest perturbation found, inside the ball or not.
  progress: Progress


@functools.cache
def fmn(
  *,
  steps: int = 100,
  norm: str = "linf",
  stride: float = 1.0,
  gamma: float = 0.05,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Steps inside a ball whose radius follows the boundary.

  It stops at the first image inside the ball that fools.

  Args:
    steps: gradients; the first is at the image itself.
    norm: "linf", "l2" or "l1".
    stride: length of the first step, in l2 whatever the norm; a cosine takes it to a hundredth.
    gamma: share by which the ball first shrinks or grows at a step; a cosine takes it to 0.001.
    keep_going: take all steps and return the smallest perturbation found, as
      `attacks.minimal_epsilon` asks for.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if steps < 1 or stride <= 0 or not _LAST_GAMMA <= gamma < 1:
    raise errors.InputError(
      f"fmn needs steps >= 1, stride > 0 and gamma in [{_LAST_GAMMA}, 1), not "
      f"{steps}, {stride}, {gamma}"
    )
  randomised.check("fmn", draws)
  ball, dual = norms.get(norm), hyperplane.DUAL[norm]
  strides = optax.cosine_decay_schedule(stride, steps, _LAST_STRIDE)
  gammas = optax.cosine_decay_schedule(gamma, steps, _LAST_GAMMA / gamma)
  warmths = optax.cosine_decay_schedule(1.0, steps, exponent=_COOLING)

  def init(example: Example, run: jax.Array | int = 0) -> FMNState:
    return FMNState(
      example=example,
      image=example.clean,
      point=example.clean,
      lead=jnp.float32(0),
      radius=jnp.float32(0),
      distance=jnp.float32(jnp.inf),
      progress=Progress.begin(),
    )

  def follow(state: FMNState, across: jax.Array, gap: jax.Array, slope: jax.Array) -> jax.Array:
    """Radius [] of the ball for the next point."""
    share = gammas(state.progress.count.astype(jnp.float32))
    steepness = dual(slope)
    ahead = jnp.where(steepness > 0, -gap / jnp.where(steepness > 0, steepness, 1.0), jnp.inf)
    boundary = ball.size(state.point - state.example.clean) + ahead
    least = jnp.where(jnp.isfinite(state.distance), 0.0, boundary)
    outwards = (1 + share) * jnp.maximum(state.radius, least)
    inwards = jnp.minimum(state.radius * (1 - share), state.distance)
    farthest = ball.size(jnp.maximum(state.example.clean, 1 - state.example.clean))
    return jnp.minimum(jnp.where(across, inwards, outwards), farthest)

  def step(classifier: Classifier, state: FMNState) -> FMNState:
    label, count = state.example.label, state.progress.count
    warmth = jnp.maximum(state.lead * warmths(count.astype(jnp.float32)), _COLDEST)

    def value_of(logits: jax.Array) -> jax.Array:
      smooth = warmth * losses.log_odds(logits / warmth, label)
      return jnp.where(jnp.isfinite(state.distance), smooth, losses.margin(logits, label))

    key = state.example.fold_in(count).key
    objective = randomised.loss_fn(value_of, classifier, key, draws)
    # The value is the gap itself until something fools, after which nobody asks for the gap.
    (gap, logits), slope = jax.value_and_grad(objective, has_aux=True)(state.point)
    across = losses.fooled(logits, label)
    state = best.keep(ball, state, state.point, logits, across)
    radius = follow(state, across, gap, slope)
    moved = state.point + strides(count.astype(jnp.float32)) * norms.unit(slope)
    fooled, ended = state.progress.fooled, count + 1 >= steps
    return dataclasses.replace(
      state,
      point=ball.project(state.example.clean, moved, radius),
      lead=jnp.where(count == 0, -gap, state.lead),
      radius=radius,
      progress=Progress(count + 1, fooled, done=ended if keep_going else fooled | ended),
    )

  return Attack(
    init,
    step,
    ball,
    steps,
    forwards=draws,
    backwards=draws,
    minimizes=keep_going,
    draws=draws,
  )
