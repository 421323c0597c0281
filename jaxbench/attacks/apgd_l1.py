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

from jaxbench.attacks.base import Attack, Example, Progress
from jaxbench.attacks.parts import ascent, norms, strongest

_SHARES = (0.3, 0.3)  # Of the steps, in the two larger balls.
_SHRINK = 1.5  # By which the step size falls while the sparsity does.
_LEAST_STEP = 0.1  # Of the radius.


@struct.dataclass
class APGDL1State:
  """One example, in one run."""

  example: Example  # In one run.
  image: jax.Array  # [H, W, 3] float32: the result; inside the ball at all times.
  point: jax.Array  # [H, W, 3] float32: what the next step evaluates.
  rank: jax.Array  # [] int32: of the target.
  target: jax.Array  # [] int32.
  strongest: strongest.Strongest  # Of all in the ball of the radius itself; what is returned.
  best: jax.Array  # [H, W, 3] float32: the largest loss of this phase.
  best_gradient: jax.Array  # [H, W, 3] float32.
  best_loss: jax.Array  # [] float32.
  step_size: jax.Array  # [] float32.
  share: jax.Array  # [] float32, of the coordinates that a step moves.
  nonzeros: jax.Array  # [] float32: coordinates of the best perturbation, at the last check.
  progress: Progress

  @property
  def strength(self) -> jax.Array:
    """The largest loss."""
    return self.strongest.loss


def apgd_l1(steps: int, objective: ascent.Objective, keep_going: bool) -> Attack:
  """What `apgd(norm="l1")` is; its arguments are documented there."""
  ball = norms.get("l1")
  lengths = [math.ceil(share * steps) for share in _SHARES]
  lengths.append(max(steps - sum(lengths), 1))
  # Of each evaluation: the phase it belongs to, whether it is the first one, how often to check.
  phase = np.repeat(np.arange(3), [length + 1 for length in lengths])
  first = np.diff(phase, prepend=-1) > 0
  within = np.concatenate([np.arange(length + 1) for length in lengths])
  every = np.array([max(int(0.04 * length), 1) for length in lengths])[phase]
  checks = ~first & (within % every == 0)
  scales = np.array([3.0, 2.0, 1.0], np.float32)[phase]
  total = len(phase)

  def init(example: Example, run: jax.Array | int = 0) -> APGDL1State:
    example = example.fold_in(run)
    clean, epsilon = example.clean, example.epsilon
    noise = jax.random.normal(example.key, clean.shape, clean.dtype)
    start = example.begun(clean + noise, run % objective.restarts)
    start = ball.project(clean, start, scales[0] * epsilon)
    return APGDL1State(
      example=example,
      image=clean,
      point=clean if objective.targeted else start,
      rank=jnp.asarray(run, jnp.int32) // objective.restarts,
      target=jnp.int32(0),
      strongest=strongest.nothing(clean),
      best=start,
      best_gradient=jnp.zeros_like(clean),
      best_loss=jnp.float32(-jnp.inf),
      step_size=scales[0] * epsilon,
      share=jnp.float32(0),
      nonzeros=jnp.float32(0),
      progress=Progress.begin(),
    )

  def ascend(
    state: APGDL1State, evaluation: ascent.Evaluation, number: jax.Array
  ) -> tuple[APGDL1State, jax.Array]:
    example = state.example
    value, gradient, fooled, _ = evaluation
    number = jnp.minimum(number, total - 1)
    begins, last = jnp.asarray(first)[number], number == total - 1
    ends = last | jnp.asarray(first)[jnp.minimum(number + 1, total - 1)]
    radius = jnp.asarray(scales)[number] * example.epsilon
    better = begins | (value > state.best_loss)
    best = jnp.where(better, state.point, state.best)
    best_gradient = jnp.where(better, gradient, state.best_gradient)
    nonzeros = (best != example.clean).sum().astype(jnp.float32)
    check = jnp.asarray(checks)[number]
    falling = nonzeros / jnp.maximum(state.nonzeros, 1.0) < 0.95
    shrunk = jnp.clip(state.step_size / _SHRINK, _LEAST_STEP * radius, radius)
    step_size = jnp.where(check, jnp.where(falling, radius, shrunk), state.step_size)
    step_size = jnp.where(begins, radius, step_size)
    share = jnp.where(check | begins, nonzeros / best.size / _SHRINK, state.share)
    back = check & falling
    origin = jnp.where(back, best, state.point)
    gradient = jnp.where(back, best_gradient, gradient)
    moved = origin + step_size * norms.sparse_sign(gradient, share)
    # The next ball is smaller, and its search starts from the best point of this one.
    onward = jnp.where(ends, best, moved)
    following = jnp.asarray(scales)[jnp.minimum(number + 1, total - 1)] * example.epsilon
    point = ball.project(example.clean, onward, following)
    inside = jnp.asarray(scales)[number] == 1
    stop = last if keep_going else (fooled & inside) | last
    after = state.strongest.after(state.point, value, fooled)
    result = jax.tree.map(lambda x, y: jnp.where(inside, x, y), after, state.strongest)
    state = dataclasses.replace(
      state,
      image=jnp.where(stop, result.image, state.image),
      point=point,
      strongest=result,
      best=best,
      best_gradient=best_gradient,
      best_loss=jnp.where(better, value, state.best_loss),
      step_size=step_size,
      share=share,
      nonzeros=jnp.where(check | begins, nonzeros, state.nonzeros),
    )
    return state, stop

  return ascent.attack(objective, ball, init, ascend, total, "point", keep_going)
