"""What the attacks with momentum share (Dong et al., 2018, arXiv:1710.06081, algorithm 1).

A step adds a gradient to a decaying sum and moves along it. The attacks differ in where they take
the gradient: at the image (`mim`), at a random resize of it (`dim`), smoothed (`tim`), ahead of it
(`ni`), at darker copies of it (`si`), among its neighbours (`vmi`).
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import losses, norms, randomised, strongest
from jaxbench.attacks.parts.randomised import LossFn
from jaxbench.attacks.pgd import settle

_DRAWN = 1  # Folded into the key of a step for what the classifier draws.


@struct.dataclass
class MomentumState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32, inside the ball and inside [0, 1].
  step_size: jax.Array  # [] float32.
  momentum: jax.Array  # [H, W, 3] float32: the decaying sum of gradients of mean size 1.
  memory: Any  # What the estimator keeps from one step to the next.
  strongest: strongest.Strongest  # Of all iterates that were evaluated.
  progress: Progress


class Estimate(NamedTuple):
  """What an estimator has evaluated."""

  value: jax.Array  # [] float32: the loss at the image itself.
  logits: jax.Array  # [K], there.
  gradient: jax.Array  # [H, W, 3] float32: what the momentum takes up.
  memory: Any = ()  # For the next step.


class Estimator(Protocol):
  """Evaluates the state's image and comes by a gradient."""

  def __call__(self, loss_fn: LossFn, state: MomentumState, key: jax.Array) -> Estimate:
    """The key is another one at every step."""


def plain(loss_fn: LossFn, state: MomentumState, key: jax.Array) -> Estimate:
  """The gradient at the image."""
  (value, logits), gradient = jax.value_and_grad(loss_fn, has_aux=True)(state.image)
  return Estimate(value, logits, gradient)


def attack(
  name: str,
  estimate: Estimator,
  *,
  steps: int,
  loss: str | losses.Loss,
  decay: float,
  relative_step: float,
  keep_going: bool,
  norm: str = "linf",
  forwards: int = 1,
  backwards: int = 1,
  draws: int = 1,
  transforms: bool = False,
  remember: Callable[[jax.Array], Any] = lambda image: (),
) -> Attack:
  """An attack with momentum from the image itself.

  Args:
    name: for messages.
    estimate: comes by the gradients, with so many `forwards` and `backwards`.
    steps: see `mim`, as for `loss`, `decay`, `relative_step`, `keep_going`, `norm` and `draws`.
    transforms: whether it evaluates images that are moved or scaled.
    remember: the estimator's memory before the first step, from the image.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if steps < 1 or relative_step <= 0 or decay < 0:
    raise errors.InputError(
      f"{name} needs steps >= 1, relative_step > 0 and decay >= 0, not "
      f"{steps}, {relative_step}, {decay}"
    )
  randomised.check(name, draws)
  ball, value_of = norms.get(norm), losses.get(loss)

  def init(example: Example, run: jax.Array | int = 0) -> MomentumState:
    start = ball.project(example.clean, example.begun(example.clean), example.epsilon)
    return MomentumState(
      example=example,
      image=example.clean if example.start is None else start,
      step_size=relative_step * example.epsilon / steps,
      momentum=jnp.zeros_like(example.clean),
      memory=remember(example.clean),
      strongest=strongest.nothing(example.clean),
      progress=Progress.begin(),
    )

  def step(classifier: Classifier, state: MomentumState) -> MomentumState:
    example = state.example

    key = jax.random.fold_in(example.key, state.progress.count)
    drawn = jax.random.fold_in(key, _DRAWN) if draws > 1 else key
    loss_fn = randomised.loss_fn(
      lambda logits: value_of(logits, example.label), classifier, drawn, draws
    )
    estimated = estimate(loss_fn, state, key)
    gradient = estimated.gradient
    gradient = gradient if example.mask is None else jnp.where(example.mask, gradient, 0.0)
    momentum = decay * state.momentum + _normalised(gradient)
    moved = state.image + state.step_size * ball.steepest(momentum, state.image)
    moved = ball.project(example.clean, moved, example.epsilon)
    state = dataclasses.replace(state, momentum=momentum, memory=estimated.memory)
    fooled = losses.fooled(estimated.logits, example.label)
    return settle(state, estimated.value, fooled, moved, steps, keep_going)

  return Attack(
    init,
    step,
    ball,
    steps,
    forwards=forwards * draws,
    backwards=backwards * draws,
    draws=draws,
    transforms=transforms,
    keep_going=keep_going,
    classes=2 + (loss == "dlr"),
    ends_unevaluated=not keep_going,
    starts=True,
  )


def _normalised(gradient: jax.Array) -> jax.Array:
  """At mean size 1; zero stays zero.

  Papers divide by the 1-norm, their code by the mean size. Only the look-ahead of `ni` and `si` can
  tell the two apart, and it needs the mean.
  """
  total = jnp.abs(gradient).sum()
  return jnp.where(total > 0, gradient / jnp.where(total > 0, total, 1.0) * gradient.size, 0.0)
