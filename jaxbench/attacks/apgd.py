"""Auto-PGD (Croce & Hein, 2020, arXiv:2003.01690, section 3): PGD that sets its own step size.

The step is halved, and the search goes back to its best point, at checkpoints where the loss has
stopped rising. The l1 attack is another algorithm: `apgd_l1.py`.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.attacks.apgd_l1 import apgd_l1
from jaxbench.attacks.base import Attack, Example, Progress
from jaxbench.attacks.parts import ascent, embedding_loss, losses, norms, strongest

_MOMENTUM = 0.75  # Share of the new direction in a step; the rest repeats the last one.
_RHO = 0.75  # Fewer rises than this share of a window halve the step.


@struct.dataclass
class APGDState:
  """One example, in one run."""

  example: Example  # In one run.
  image: jax.Array  # [H, W, 3] float32: what the next step evaluates.
  rank: jax.Array  # [] int32: of the target, 0 is the likeliest other class.
  target: jax.Array  # [] int32.
  previous: jax.Array  # [H, W, 3] float32: where the last step started.
  strongest: strongest.Strongest  # What is returned.
  best: jax.Array  # [H, W, 3] float32: the largest loss.
  best_gradient: jax.Array  # [H, W, 3] float32, of `best`.
  best_loss: jax.Array  # [] float32.
  last_loss: jax.Array  # [] float32.
  rises: jax.Array  # [] int32: steps since the last checkpoint that raised the loss.
  step_size: jax.Array  # [] float32.
  halved: jax.Array  # [] bool: at the last checkpoint.
  checkpoint_loss: jax.Array  # [] float32: `best_loss` at it.
  progress: Progress

  @property
  def strength(self) -> jax.Array:
    """The largest loss."""
    return self.strongest.loss


def checkpoints(steps: int) -> dict[int, int]:
  """After how many steps the step size is checked, and the length of the window that ends there."""
  window, least, shorter = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
  windows, passed = {}, 0
  while passed + window <= steps:
    passed += window
    windows[passed] = window
    window = max(window - shorter, least)
  return windows


@functools.cache
def apgd(
  *,
  steps: int = 100,
  norm: str = "linf",
  loss: str | losses.Loss = "cross_entropy",
  targets: int = 0,
  restarts: int = 1,
  draws: int = 1,
  keep_going: bool = False,
  compat: str = "clean",
) -> Attack:
  """Auto-PGD from a random point of the sphere; it stops at the first image that fools.

  Args:
    steps: of one run.
    norm: "linf", "l2" or "l1".
    loss: "cross_entropy", "margin", "dlr", a function (logits [K], label []) -> [], or "distance",
      as in `pgd`.
    targets: 0, or how many runs to make, each towards another of the classes that are likeliest on
      the clean image (9 in AutoAttack), with the targeted form of the loss. There are K - 1 at
      most. Any misclassification counts.
    restarts: runs from different random points, for each target.
    draws: above 1, the classifier is randomised: it is called as classifier(images, key=key), and
      gradients are averages over so many keys (20 in AutoAttack's "rand").
    keep_going: take all steps of all runs, fooled or not, and return the strongest iterate, as in
      `pgd`.
    compat: "clean" compares the loss after the first step with the loss before it; "official"
      with 0, as the authors' code does.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if steps < 1:
    raise errors.InputError(f"apgd needs steps >= 1, not {steps}")
  if compat not in ("clean", "official"):
    raise errors.unknown("compat", compat, ("clean", "official"))
  keep_going = keep_going or loss == embedding_loss.NAME
  objective = ascent.make("apgd", loss, targets, restarts, draws)
  if norm == "l1":
    return apgd_l1(steps, objective, keep_going)
  ball = norms.get(norm)
  windows = np.zeros(steps + 1, np.int32)
  for step_number, window in checkpoints(steps).items():
    windows[step_number] = window

  def init(example: Example, run: jax.Array | int = 0) -> APGDState:
    example = example.fold_in(run)
    clean, epsilon = example.clean, example.epsilon
    noise = epsilon * norms.sphere(norm, example.key, clean)
    start = ball.project(clean, example.begun(clean + noise, run % restarts), epsilon)
    return APGDState(
      example=example,
      image=clean if objective.targeted else start,
      rank=jnp.asarray(run, jnp.int32) // restarts,
      target=jnp.int32(0),
      previous=start,
      strongest=strongest.nothing(start),
      best=start,
      best_gradient=jnp.zeros_like(clean),
      best_loss=jnp.float32(-jnp.inf),
      last_loss=jnp.float32(0),
      rises=jnp.int32(0),
      step_size=2 * epsilon,
      halved=jnp.bool_(True),
      checkpoint_loss=jnp.float32(-jnp.inf),
      progress=Progress.begin(),
    )

  def ascend(
    state: APGDState, evaluation: ascent.Evaluation, steps_taken: jax.Array
  ) -> tuple[APGDState, jax.Array]:
    example = state.example
    value, gradient, fooled, _ = evaluation
    first, last = steps_taken == 0, steps_taken == steps
    better = first | (value > state.best_loss)
    best = jnp.where(better, state.image, state.best)
    best_gradient = jnp.where(better, gradient, state.best_gradient)
    best_loss = jnp.where(better, value, state.best_loss)
    rises = state.rises + (~first & (value > state.last_loss)).astype(jnp.int32)
    window = jnp.asarray(windows)[jnp.minimum(steps_taken, steps)]
    check = window > 0
    stuck = ~state.halved & (state.checkpoint_loss >= best_loss)
    halve = check & ((rises.astype(jnp.float32) <= _RHO * window.astype(jnp.float32)) | stuck)
    step_size = jnp.where(halve, state.step_size / 2, state.step_size)
    origin = jnp.where(halve, best, state.image)
    direction = ball.steepest(jnp.where(halve, best_gradient, gradient), origin)
    ahead = ball.project(example.clean, origin + step_size * direction, example.epsilon)
    share = jnp.where(first, 1.0, _MOMENTUM)
    moved = origin + share * (ahead - origin) + (1 - share) * (origin - state.previous)
    moved = ball.project(example.clean, moved, example.epsilon)
    stop = last if keep_going else fooled | last
    result = state.strongest.after(state.image, value, fooled)
    state = dataclasses.replace(
      state,
      image=jnp.where(stop, result.image, moved),
      previous=origin,
      strongest=result,
      best=best,
      best_gradient=best_gradient,
      best_loss=best_loss,
      last_loss=jnp.where(first & (compat == "official"), 0.0, value),
      rises=jnp.where(check, 0, rises),
      step_size=step_size,
      halved=jnp.where(check, halve, state.halved),
      checkpoint_loss=jnp.where(first | check, best_loss, state.checkpoint_loss),
    )
    return state, stop

  return ascent.attack(objective, ball, init, ascend, steps + 1, "image", keep_going)
