"""A prompt of vectors, learnt by gradient descent: what a search among tokens is compared with.

CoOp with one context for all classes and the name at the end (Zhou et al., 2022, arXiv:2109.01134);
on all images at once and with Adam, where CoOp has batches and plain gradient descent.
"""

import functools
from collections.abc import Callable

import jax
import optax

from jaxbench.models.prompting.prompt_loss import Task, score


def learn_prompt(
  task: Task,
  start: jax.Array,
  *,
  steps: int,
  learning_rate: float,
  report: Callable[[float], None] = lambda loss: None,
) -> jax.Array:
  """A context of low loss.

  Args:
    task: to do well on.
    start: float32 [n, W], embedded tokens most often.
    steps: of Adam, its rate decayed along a cosine.
    learning_rate: at first, in units of embeddings.
    report: is called with the loss before each step.

  Returns:
    float32 [n, W].
  """
  optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))
  vectors, state = start, optimizer.init(start)
  for _ in range(steps):
    vectors, state, loss = _update(optimizer, task, vectors, state)
    report(float(loss))
  return vectors


@functools.partial(jax.jit, static_argnums=0)
def _update(
  optimizer: optax.GradientTransformation, task: Task, vectors: jax.Array, state: optax.OptState
) -> tuple[jax.Array, optax.OptState, jax.Array]:
  """One step; the loss is that before it."""
  with jax.default_matmul_precision("highest"):
    loss, gradient = jax.value_and_grad(lambda context: score(task, context)[0])(vectors)
  updates, state = optimizer.update(gradient, state)
  return optax.apply_updates(vectors, updates), state, loss
