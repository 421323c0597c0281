"""DeepFool (Moosavi-Dezfooli et al., 2016, arXiv:1511.04599).

It looks for the smallest perturbation: it linearises the classifier, moves onto the nearest of the
boundaries to other classes, and does so again until it is across.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import best, hyperplane, losses, norms, randomised
from jaxbench.attacks.parts.ascent import NO_TARGET

_NORMS = ("linf", "l2")
_EXTRA = 1e-4  # Added to each distance, so that a step at the boundary still moves.


@struct.dataclass
class DeepFoolState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32: what fools, if inside the ball; else the clean image.
  total: jax.Array  # [H, W, 3] float32: the sum of all steps, before overshoot and box.
  classes: jax.Array  # [candidates - 1] int32: compared with the label, or NO_TARGET.
  distance: jax.Array  # [] float32: of what fools, inside the ball or not; infinite before.
  progress: Progress


@functools.cache
def deepfool(
  *,
  steps: int = 50,
  norm: str = "linf",
  candidates: int = 10,
  overshoot: float = 0.02,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Moves onto the nearest linearised boundary until it is across; then it is done.

  The search is the same at every epsilon: it succeeds where what fools is inside the ball.

  Args:
    steps: the most; each takes two forward passes and a backward pass per class compared.
    norm: "linf" or "l2".
    candidates: classes that are compared, those likeliest at the clean image with the label among
      them, as foolbox does. K or more compares all K, as the paper does, for perturbations that
      are hardly smaller: by 0.1 percent among 1,000 random classes, by 2 among ten near names for
      each digit. With fewer classes than candidates, passes are counted as if there were so many.
    overshoot: by which the whole perturbation is stretched.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if steps < 1 or candidates < 2 or overshoot < 0:
    raise errors.InputError(
      "deepfool needs steps >= 1, candidates >= 2 and overshoot >= 0, not "
      f"{steps}, {candidates}, {overshoot}"
    )
  if norm not in _NORMS:
    raise errors.unknown("norm", norm, _NORMS)
  randomised.check("deepfool", draws)
  ball, dual = norms.get(norm), hyperplane.DUAL[norm]

  def init(example: Example, run: jax.Array | int = 0) -> DeepFoolState:
    return DeepFoolState(
      example=example,
      image=example.clean,
      total=jnp.zeros_like(example.clean),
      classes=jnp.full(candidates - 1, NO_TARGET, jnp.int32),
      distance=jnp.float32(jnp.inf),
      progress=Progress.begin(),
    )

  def point(state: DeepFoolState) -> jax.Array:
    return jnp.clip(state.example.clean + (1 + overshoot) * state.total, 0.0, 1.0)

  def nearest(
    logits: jax.Array, pull: Callable[..., Any], state: DeepFoolState
  ) -> tuple[jax.Array, jax.Array]:
    """Distance [] to the nearest linearised boundary, and the slope [H, W, 3] towards it."""
    label = state.example.label
    origin = jax.nn.one_hot(label, logits.size)

    def compare(nearest: tuple[Any, Any], other: jax.Array) -> tuple[tuple[Any, Any], None]:
      slope = pull(jax.nn.one_hot(other, logits.size) - origin)[0]
      steepness = dual(slope)
      reachable = (other != NO_TARGET) & (steepness > 0)
      gap = jnp.abs(logits[other] - logits[label])
      distance = jnp.where(reachable, gap / jnp.where(reachable, steepness, 1.0), jnp.inf)
      nearer = distance < nearest[0]
      boundary = (distance, slope)
      return jax.tree.map(lambda x, y: jnp.where(nearer, x, y), boundary, nearest), None

    # One class after another: the slopes of all classes at once would not fit.
    start = (jnp.float32(jnp.inf), jnp.zeros_like(state.example.clean))
    return jax.lax.scan(compare, start, state.classes[: logits.size - 1])[0]

  def step(classifier: Classifier, state: DeepFoolState) -> DeepFoolState:
    label, count = state.example.label, state.progress.count
    logits_at = randomised.logits_fn(classifier, state.example.fold_in(count).key, draws)
    logits, pull = jax.vjp(logits_at, point(state))
    ranked = _likeliest(logits, label, candidates)
    state = dataclasses.replace(state, classes=jnp.where(count == 0, ranked, state.classes))
    distance, slope = nearest(logits, pull, state)
    length = jnp.where(jnp.isfinite(distance), distance, 0.0) + _EXTRA
    total = state.total + length * ball.steepest(slope, state.example.clean)
    state = dataclasses.replace(state, total=total)
    moved = point(state)
    logits = logits_at(moved)
    across = losses.fooled(logits, label)
    state = best.keep(ball, state, moved, logits, across)
    done = across | (count + 1 >= steps)
    return dataclasses.replace(state, progress=Progress(count + 1, state.progress.fooled, done))

  return Attack(
    init,
    step,
    ball,
    steps,
    forwards=2 * draws,
    backwards=draws * (candidates - 1),
    minimizes=True,
    draws=draws,
  )


def _likeliest(logits: jax.Array, label: jax.Array, candidates: int) -> jax.Array:
  """Classes [candidates - 1] to compare with the label: the likeliest others."""
  others = losses.other_classes(logits, label)[: candidates - 1]
  return jnp.pad(others, (0, candidates - 1 - len(others)), constant_values=NO_TARGET)
