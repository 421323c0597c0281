"""DDN, decoupling direction and norm (Rony et al., 2019, arXiv:1811.09600).

It looks for the smallest l2 perturbation: steps along the gradient of the cross-entropy, each put
back on a sphere around the image, which shrinks where the last image fooled and grows where not.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Attack, Classifier, logits_of
from jaxbench.attacks.parts import best, losses, norms

_LAST_STRIDE = 0.01  # Of a step, along a cosine from 1.


@struct.dataclass
class DDNState:
  """One example."""

  key: jax.Array  # PRNG key of the example.
  clean: jax.Array  # [H, W, 3] float32 in [0, 1].
  image: jax.Array  # [H, W, 3] float32: the smallest perturbation found, if inside the ball.
  point: jax.Array  # [H, W, 3] float32 in [0, 1]: the search, not bound to the ball.
  label: jax.Array  # [] int32.
  epsilon: jax.Array  # [] float32.
  radius: jax.Array  # [] float32, of the sphere.
  distance: jax.Array  # [] float32: of the smallest perturbation found, inside the ball or not.
  count: jax.Array  # [] int32.
  fooled: jax.Array  # [] bool.
  done: jax.Array  # [] bool.


@functools.cache
def ddn(
  *,
  steps: int = 100,
  initial_radius: float = 1.0,
  gamma: float = 0.05,
  keep_going: bool = False,
) -> Attack:
  """Steps around the image at a distance that follows the boundary.

  It stops at the first image inside the ball that fools.

  Args:
    steps: looks; the first is at the image itself.
    initial_radius: of the sphere, in l2.
    gamma: share by which the sphere shrinks or grows at a step.
    keep_going: take all steps and return the smallest perturbation found, as
      `attacks.minimal_epsilon` asks for.

  Raises:
    InputError: a value is out of range.
  """
  if steps < 1 or initial_radius <= 0 or not 0 < gamma < 1:
    raise errors.InputError(
      "ddn needs steps >= 1, initial_radius > 0 and gamma in (0, 1), not "
      f"{steps}, {initial_radius}, {gamma}"
    )
  ball = norms.get("l2")
  stride = optax.cosine_decay_schedule(1.0, steps, _LAST_STRIDE)

  def init(
    key: jax.Array,
    image: jax.Array,
    label: jax.Array,
    epsilon: jax.Array,
    run: jax.Array | int = 0,
  ) -> DDNState:
    return DDNState(
      key=key,
      clean=image,
      image=image,
      point=image,
      label=label,
      epsilon=epsilon,
      radius=jnp.float32(initial_radius),
      distance=jnp.float32(jnp.inf),
      count=jnp.int32(0),
      fooled=jnp.bool_(False),
      done=jnp.bool_(False),
    )

  def step(classifier: Classifier, state: DDNState) -> DDNState:
    def objective(image: jax.Array) -> tuple[jax.Array, jax.Array]:
      logits = logits_of(classifier, image)
      return losses.cross_entropy(logits, state.label), logits

    slope, logits = jax.grad(objective, has_aux=True)(state.point)
    across = losses.fooled(logits, state.label)
    delta = state.point - state.clean
    state = best.keep(ball, state, state.point, logits, across)
    # Where the loss is flat, anywhere is as good; the authors' code does so too.
    anywhere = norms.sphere("l2", jax.random.fold_in(state.key, state.count), state.clean)
    direction = jnp.where((slope != 0).any(), norms.unit(slope), anywhere)
    farthest = ball.size(jnp.maximum(state.clean, 1 - state.clean))
    radius = jnp.minimum(state.radius * jnp.where(across, 1 - gamma, 1 + gamma), farthest)
    moved = norms.unit(delta + stride(state.count.astype(jnp.float32)) * direction)
    count = state.count + 1
    return dataclasses.replace(
      state,
      point=jnp.clip(state.clean + radius * moved, 0.0, 1.0),
      radius=radius,
      count=count,
      done=(count >= steps) if keep_going else state.fooled | (count >= steps),
    )

  return Attack(init, step, ball, steps, forwards=1, backwards=1, minimizes=keep_going)
