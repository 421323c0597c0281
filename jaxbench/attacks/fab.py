"""FAB, the fast adaptive boundary attack (Croce & Hein, 2020, arXiv:1907.02044).

It looks for the smallest perturbation: it linearises the boundary to another class, projects onto
it inside the box, leans towards the clean image, and steps back whenever it is across.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import best, hyperplane, losses, norms, randomised
from jaxbench.attacks.parts.ascent import NO_TARGET

_MOST_BIAS = 0.1  # Towards the clean image (alpha_max in the paper).
_OVERSHOOT = 1.05  # Of a projection (eta).
_BACK = 0.9  # Share of the perturbation kept by a backward step (beta).
_SMALLEST = 1e-8  # Of the distances that are compared.


@struct.dataclass
class FABState:
  """One example, in one run."""

  example: Example
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  point: jax.Array  # [H, W, 3] float32 in [0, 1]: the search, not bound to the ball.
  rank: jax.Array  # [] int32: of the target.
  target: jax.Array  # [] int32.
  distance: jax.Array  # [] float32: of the smallest perturbation found, inside the ball or not.
  progress: Progress

  @property
  def strength(self) -> jax.Array:
    """The smaller, the stronger."""
    return -self.distance


@functools.cache
def fab(
  *,
  steps: int = 100,
  norm: str = "linf",
  targets: int = 9,
  candidates: int = 9,
  restarts: int = 1,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Searches for the nearest boundary; it stops at the first image inside the ball that fools.

  Args:
    steps: of one run; each is a backward and two forward passes.
    norm: "linf", "l2" or "l1".
    targets: runs towards the classes that are likeliest where they start, K - 1 at most; any
      misclassification counts. With 0, each step goes to the boundary that is nearest.
    candidates: without targets, how many of the likeliest classes a step compares, at a backward
      pass each. The authors' code compares all, which K - 1 asks for.
    restarts: for each target; the first starts at the image, the others at random points half
      of epsilon away.
    keep_going: take all steps and return the smallest perturbation found, as
      `attacks.minimal_epsilon` asks for.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if min(steps, restarts, candidates) < 1 or targets < 0:
    raise errors.InputError(
      "fab needs steps, restarts and candidates >= 1 and targets >= 0, not "
      f"{steps}, {restarts}, {candidates}, {targets}"
    )
  randomised.check("fab", draws)
  ball, project, dual = norms.get(norm), hyperplane.projection(norm), hyperplane.DUAL[norm]

  def init(example: Example, run: jax.Array | int = 0) -> FABState:
    run = jnp.asarray(run, jnp.int32)
    noise = norms.sphere(norm, example.fold_in(run).key, example.clean)
    away = jnp.where(run % restarts > 0, 0.5 * jnp.minimum(example.epsilon, 1e10), 0.0)
    return FABState(
      example=example,
      image=example.clean,
      point=example.kept(jnp.clip(example.clean + away * noise, 0.0, 1.0)),
      rank=run // restarts,
      target=jnp.int32(0),
      distance=jnp.float32(jnp.inf),
      progress=Progress.begin(),
    )

  def logits_at(classifier: Classifier, state: FABState) -> Callable[[jax.Array], jax.Array]:
    """Logits [K] of an image, or their means over the draws of a step."""
    key = state.example.fold_in(state.progress.count).key
    return randomised.logits_fn(classifier, key, draws)

  def nearest(classifier: Classifier, state: FABState) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Value and gradient of the linearised distance to the boundary, and the target."""
    logits, pull = jax.vjp(logits_at(classifier, state), state.point)
    label = state.example.label
    others = losses.other_classes(logits, label)
    if targets:
      place = jnp.minimum(state.rank, len(others) - 1)
      ranked = jnp.where(state.rank < len(others), others[place], NO_TARGET)
      target = jnp.where(state.progress.count == 0, ranked, state.target)
      aim = jnp.maximum(target, 0)
      towards = jax.nn.one_hot(aim, logits.size) - jax.nn.one_hot(label, logits.size)
      return logits[aim] - logits[label], pull(towards)[0], target
    nearby = others[:candidates]
    gaps = logits[nearby] - logits[label]
    origin = jax.nn.one_hot(label, logits.size)
    towards = jax.vmap(lambda other: jax.nn.one_hot(other, logits.size) - origin)(nearby)
    # One class after another: the gradients of all classes at once would not fit.
    slopes = jax.lax.map(lambda direction: pull(direction)[0], towards)
    closest = jnp.argmin(jnp.abs(gaps) / (1e-12 + jax.vmap(dual)(slopes)))
    return gaps[closest], slopes[closest], state.target

  def step(classifier: Classifier, state: FABState) -> FABState:
    gap, slope, target = nearest(classifier, state)
    clean, label = state.example.clean, state.example.label
    # The hyperplane is where the gap would be zero; its value at the clean image follows.
    onto = project(-slope, state.point, -gap)
    from_clean = project(-slope, clean, (slope * (state.point - clean)).sum() - gap)
    sizes = [jnp.maximum(ball.size(move), _SMALLEST) for move in (onto, from_clean)]
    bias = jnp.clip(sizes[0] / (sizes[0] + sizes[1]), 0.0, _MOST_BIAS)
    point = (1 - bias) * (state.point + _OVERSHOOT * onto)
    point = jnp.clip(point + bias * (clean + _OVERSHOOT * from_clean), 0.0, 1.0)
    logits = logits_at(classifier, state)(point)
    across = losses.fooled(logits, label)
    state = best.keep(ball, state, point, logits, across)
    count = state.progress.count + 1
    fooled, ended = state.progress.fooled, (count >= steps) | (target == NO_TARGET)
    return dataclasses.replace(
      state,
      point=jnp.where(across, clean + _BACK * (point - clean), point),
      target=target,
      progress=Progress(count, fooled, done=ended if keep_going else fooled | ended),
    )

  return Attack(
    init,
    step,
    ball,
    steps,
    forwards=2 * draws,
    backwards=draws * (1 if targets else candidates),
    runs=max(targets, 1) * restarts,
    minimizes=keep_going,
    targets=targets,
    draws=draws,
  )
