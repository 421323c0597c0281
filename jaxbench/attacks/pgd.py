"""Projected gradient descent (Madry et al., 2018, arXiv:1706.06083)."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.attacks import losses, norms
from jaxbench.attacks.base import Attack, Classifier, logits_of


@struct.dataclass
class PGDState:
  """One example."""

  clean: jax.Array  # [H, W, 3] float32 in [0, 1].
  image: jax.Array  # [H, W, 3] float32, inside the ball and inside [0, 1].
  label: jax.Array  # [] int32.
  epsilon: jax.Array  # [] float32, radius of the ball around `clean`.
  count: jax.Array  # [] int32, steps taken.
  done: jax.Array  # [] bool.


@functools.cache  # Equal attacks are one object, so that they share one compiled program.
def pgd(
  *,
  steps: int = 40,
  norm: str = "linf",
  loss: str | losses.Loss = "cross_entropy",
  random_start: bool = True,
  relative_step: float = 2.5,
) -> Attack:
  """Steps along the steepest direction of the loss, projected back after each one.

  It stops at the first image that fools the classifier.

  Args:
    steps: the most gradient steps.
    norm: "linf" or "l2".
    loss: "cross_entropy", "margin" or a function (logits [K], label []) -> [].
    random_start: begin at a uniform point of the ball instead of the image itself.
    relative_step: length of all steps together, in units of epsilon.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if steps < 1 or relative_step <= 0:
    raise errors.InputError(
      f"pgd needs steps >= 1 and relative_step > 0, not {steps}, {relative_step}"
    )
  ball, climb = norms.get(norm), losses.get(loss)

  def init(key: jax.Array, image: jax.Array, label: jax.Array, epsilon: jax.Array) -> PGDState:
    start = image + ball.sample(key, image, epsilon) if random_start else image
    return PGDState(
      clean=image,
      image=norms.project(ball, image, start, epsilon),
      label=label,
      epsilon=epsilon,
      count=jnp.int32(0),
      done=jnp.bool_(False),
    )

  def step(classifier: Classifier, state: PGDState) -> PGDState:
    def objective(image: jax.Array) -> tuple[jax.Array, jax.Array]:
      logits = logits_of(classifier, image)
      return climb(logits, state.label), logits

    gradient, logits = jax.grad(objective, has_aux=True)(state.image)
    fooled = jnp.argmax(logits) != state.label
    moved = state.image + relative_step * state.epsilon / steps * ball.steepest(gradient)
    moved = norms.project(ball, state.clean, moved, state.epsilon)
    count = state.count + 1
    return dataclasses.replace(
      state,
      image=jnp.where(fooled, state.image, moved),
      count=count,
      done=fooled | (count >= steps),
    )

  return Attack(init, step, ball, steps, forwards=1, backwards=1)
