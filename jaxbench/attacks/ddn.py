"""DDN, decoupling direction and norm (Rony et al., 2019, arXiv:1811.09600).

It looks for the smallest l2 perturbation: steps along the gradient of the cross-entropy, each put
back on a sphere around the image, which shrinks where the last image fooled and grows where not.
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
from jaxbench.attacks.parts import best, losses, norms, randomised

_LAST_STRIDE = 0.01  # Of a step, along a cosine from 1.


@struct.dataclass
class DDNState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  point: jax.Array  # [H, W, 3] float32 in [0, 1]: the search, not bound to the ball.
  radius: jax.Array  # [] float32, of the sphere.
  distance: jax.Array  # [] float32: of the smallest perturbation found, inside the ball or not.
  progress: Progress


@functools.cache
def ddn(
  *,
  steps: int = 100,
  initial_radius: float = 1.0,
  gamma: float = 0.05,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Steps around the image at a distance that follows the boundary.

  It stops at the first image inside the ball that fools.

  Args:
    steps: gradients; the first is at the image itself.
    initial_radius: of the sphere, in l2.
    gamma: share by which the sphere shrinks or grows at a step.
    keep_going: take all steps and return the smallest perturbation found, as
      `attacks.minimal_epsilon` asks for.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range.
  """
  if steps < 1 or initial_radius <= 0 or not 0 < gamma < 1:
    raise errors.InputError(
      "ddn needs steps >= 1, initial_radius > 0 and gamma in (0, 1), not "
      f"{steps}, {initial_radius}, {gamma}"
    )
  randomised.check("ddn", draws)
  ball = norms.get("l2")
  stride = optax.cosine_decay_schedule(1.0, steps, _LAST_STRIDE)

  def init(example: Example, run: jax.Array | int = 0) -> DDNState:
    return DDNState(
      example=example,
      image=example.clean,
      point=example.clean,
      radius=jnp.float32(initial_radius),
      distance=jnp.float32(jnp.inf),
      progress=Progress.begin(),
    )

  def step(classifier: Classifier, state: DDNState) -> DDNState:
    clean, label, count = state.example.clean, state.example.label, state.progress.count
    objective = randomised.loss_fn(
      lambda logits: losses.cross_entropy(logits, label),
      classifier,
      state.example.fold_in(count).key,
      draws,
    )
    slope, logits = jax.grad(objective, has_aux=True)(state.point)
    across = losses.fooled(logits, label)
    delta = state.point - clean
    state = best.keep(ball, state, state.point, logits, across)
    # Where the loss is flat, anywhere is as good; the authors' code does so too.
    anywhere = norms.sphere("l2", jax.random.fold_in(state.example.key, count), clean)
    direction = jnp.where((slope != 0).any(), norms.unit(slope), anywhere)
    farthest = ball.size(jnp.maximum(clean, 1 - clean))
    radius = jnp.minimum(state.radius * jnp.where(across, 1 - gamma, 1 + gamma), farthest)
    moved = norms.unit(delta + stride(count.astype(jnp.float32)) * direction)
    fooled, ended = state.progress.fooled, count + 1 >= steps
    return dataclasses.replace(
      state,
      point=jnp.clip(clean + radius * moved, 0.0, 1.0),
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
