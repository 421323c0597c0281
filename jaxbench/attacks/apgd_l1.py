"""Auto-PGD in the l1 ball (Croce & Hein, 2021, arXiv:2103.01208, "Mind the box").

Steps are sparse, and as sparse as the best perturbation so far suggests. The search runs in balls
of three, two and one times the radius, each from the best point of the one before.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import ascent, norms, strongest

_SHARES = (0.3, 0.3)  # Of the steps, in the two larger balls.
_SHRINK = 1.5  # By which the step size falls while the sparsity does.
_LEAST_STEP = 0.1  # Of the radius.


@struct.dataclass
class APGDL1State:
  """One example, in one run."""

  key: jax.Array  # PRNG key.
  clean: jax.Array  # [H, W, 3] float32 in [0, 1].
  image: jax.Array  # [H, W, 3] float32: the result; inside the ball at all times.
  point: jax.Array  # [H, W, 3] float32: where the next step looks.
  label: jax.Array  # [] int32.
  epsilon: jax.Array  # [] float32.
  rank: jax.Array  # [] int32: of the target.
  target: jax.Array  # [] int32.
  strongest: strongest.Strongest  # Of all in the ball of the radius itself; what is returned.
  best: jax.Array  # [H, W, 3] float32: the largest loss of this phase.
  best_gradient: jax.Array  # [H, W, 3] float32.
  best_loss: jax.Array  # [] float32.
  step_size: jax.Array  # [] float32.
  share: jax.Array  # [] float32, of the coordinates that a step moves.
  nonzeros: jax.Array  # [] float32: coordinates of the best perturbation, at the last check.
  count: jax.Array  # [] int32.
  fooled: jax.Array  # [] bool.
  done: jax.Array  # [] bool.

  @property
  def strength(self) -> jax.Array:
    """The largest loss."""
    return self.strongest.loss


def apgd_l1(steps: int, hill: ascent.Climb, keep_going: bool) -> Attack:
  """What `apgd(norm="l1")` is; its arguments are documented there."""
  ball = norms.get("l1")
  lengths = [math.ceil(share * steps) for share in _SHARES]
  lengths.append(max(steps - sum(lengths), 1))
  # Of each look: the phase it belongs to, whether it is the first one, how often to check.
  phase = np.repeat(np.arange(3), [length + 1 for length in lengths])
  first = np.diff(phase, prepend=-1) > 0
  within = np.concatenate([np.arange(length + 1) for length in lengths])
  every = np.array([max(int(0.04 * length), 1) for length in lengths])[phase]
  checks = ~first & (within % every == 0)
  scales = np.array([3.0, 2.0, 1.0], np.float32)[phase]
  total = len(phase)

  def init(
    key: jax.Array,
    image: jax.Array,
    label: jax.Array,
    epsilon: jax.Array,
    run: jax.Array | int = 0,
  ) -> APGDL1State:
    key = jax.random.fold_in(key, run)
    noise = jax.random.normal(key, image.shape, image.dtype)
    start = ball.project(image, image + noise, scales[0] * epsilon)
    return APGDL1State(
      key=key,
      clean=image,
      image=image,
      point=image if hill.targeted else start,
      label=label,
      epsilon=epsilon,
      rank=jnp.asarray(run, jnp.int32) // hill.restarts,
      target=jnp.int32(0),
      strongest=strongest.nothing(image),
      best=start,
      best_gradient=jnp.zeros_like(image),
      best_loss=jnp.float32(-jnp.inf),
      step_size=scales[0] * epsilon,
      share=jnp.float32(0),
      nonzeros=jnp.float32(0),
      count=jnp.int32(0),
      fooled=jnp.bool_(False),
      done=jnp.bool_(False),
    )

  def ascend(state: APGDL1State, view: ascent.View, look: jax.Array) -> APGDL1State:
    look = jnp.minimum(look, total - 1)
    begins, last = jnp.asarray(first)[look], look == total - 1
    ends = last | jnp.asarray(first)[jnp.minimum(look + 1, total - 1)]
    radius = jnp.asarray(scales)[look] * state.epsilon
    better = begins | (view.value > state.best_loss)
    best = jnp.where(better, state.point, state.best)
    best_gradient = jnp.where(better, view.gradient, state.best_gradient)
    nonzeros = (best != state.clean).sum().astype(jnp.float32)
    check = jnp.asarray(checks)[look]
    falling = nonzeros / jnp.maximum(state.nonzeros, 1.0) < 0.95
    shrunk = jnp.clip(state.step_size / _SHRINK, _LEAST_STEP * radius, radius)
    step_size = jnp.where(check, jnp.where(falling, radius, shrunk), state.step_size)
    step_size = jnp.where(begins, radius, step_size)
    share = jnp.where(check | begins, nonzeros / best.size / _SHRINK, state.share)
    back = check & falling
    here = jnp.where(back, best, state.point)
    gradient = jnp.where(back, best_gradient, view.gradient)
    moved = here + step_size * norms.sparse_sign(gradient, share)
    # The next ball is smaller, and its search starts from the best point of this one.
    onward = jnp.where(ends, best, moved)
    following = jnp.asarray(scales)[jnp.minimum(look + 1, total - 1)] * state.epsilon
    point = ball.project(state.clean, onward, following)
    inside = jnp.asarray(scales)[look] == 1
    found = view.fooled & inside
    stop = last if keep_going else found | last
    seen = state.strongest.seen(state.point, view.value, view.fooled)
    result = jax.tree.map(lambda x, y: jnp.where(inside, x, y), seen, state.strongest)
    return dataclasses.replace(
      state,
      image=jnp.where(stop, result.image, state.image),
      point=point,
      strongest=result,
      best=best,
      best_gradient=best_gradient,
      best_loss=jnp.where(better, view.value, state.best_loss),
      step_size=step_size,
      share=share,
      nonzeros=jnp.where(check | begins, nonzeros, state.nonzeros),
      fooled=result.fooled,
      done=stop,
    )

  return ascent.attack(hill, ball, init, ascend, total, "point", keep_going)
