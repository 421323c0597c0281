"""Runs attacks over batches, and is the only judge of their success."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import devices, errors
from jaxbench.attacks.base import Attack, Classifier, State

_TOLERANCE = 1e-6  # Pixel units: what float32 rounding may add to a radius.


@struct.dataclass
class Result:
  """One row per example; B rows."""

  adversarial: jax.Array  # [B, H, W, 3] float32: what fools, or the last thing that was tried.
  logits: jax.Array  # [B, K] float32, of `adversarial`.
  prediction: jax.Array  # [B] int32, of `adversarial`.
  success: jax.Array  # [B] bool: `adversarial` is misclassified, inside the ball and [0, 1].
  distance: jax.Array  # [B] float32, from the clean image, in the attack's norm.
  steps: jax.Array  # [B] int32; 0 where the clean image is misclassified already.
  forwards: jax.Array  # [B] int32, forward passes, judging included.
  backwards: jax.Array  # [B] int32, backward passes.


def program(attack: Attack) -> Callable[..., Result]:
  """A pure function (classifier, keys, images, labels, epsilons) -> Result for one batch.

  The loop ends when every example of the batch is done. An example that is misclassified without
  an attack is left as it is and counts as success at distance 0.
  """
  init, step = jax.vmap(attack.init), jax.vmap(attack.step, in_axes=(None, 0))

  def run(
    classifier: Classifier,
    keys: jax.Array,
    images: jax.Array,
    labels: jax.Array,
    epsilons: jax.Array,
  ) -> Result:
    def advance(state: State) -> State:
      return _where(state.done, state, step(classifier, state))

    wrong = jnp.argmax(classifier(images), axis=-1) != labels
    state: Any = init(keys, images, labels, epsilons)
    image = _where(wrong, images, state.image)
    state = dataclasses.replace(state, image=image, done=state.done | wrong)
    state = jax.lax.while_loop(lambda state: ~state.done.all(), advance, state)
    return _judge(attack, classifier, images, labels, epsilons, state)

  return run


def _where(condition: jax.Array, first: Any, second: Any) -> Any:
  """Selects rows of pytrees by a [B] condition."""

  def select(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.where(condition.reshape(-1, *(1,) * (x.ndim - 1)), x, y)

  return jax.tree.map(select, first, second)


def _judge(
  attack: Attack,
  classifier: Classifier,
  images: jax.Array,
  labels: jax.Array,
  epsilons: jax.Array,
  state: State,
) -> Result:
  """The verdict, from the returned image alone: a bug in an attack can only weaken it."""
  logits = classifier(state.image)
  prediction = jnp.argmax(logits, axis=-1).astype(jnp.int32)
  distance = jax.vmap(attack.norm.size)(state.image - images)
  real = (
    (distance <= epsilons * (1 + _TOLERANCE) + _TOLERANCE)
    & ((state.image >= 0) & (state.image <= 1)).all(axis=(1, 2, 3))
    & jnp.isfinite(logits).all(axis=-1)
  )
  return Result(
    adversarial=state.image,
    logits=logits,
    prediction=prediction,
    success=(prediction != labels) & real,
    distance=distance,
    steps=state.count,
    forwards=2 + attack.forwards * state.count,
    backwards=attack.backwards * state.count,
  )


@functools.cache
def _sharded(attack: Attack) -> Callable[..., Result]:
  return devices.shard(program(attack))


def run(
  attack: Attack,
  classifier: Classifier,
  images: Any,
  labels: Any,
  epsilon: float | Any,
  key: jax.Array,
  *,
  slots: int = 64,
) -> Result:
  """Attacks any pytree callable on all devices of this host.

  Args:
    attack: from `attacks.pgd(...)` and its kin.
    classifier: a pytree that maps images to logits [B, K]: a `flax.nnx` module, or
      `jax.tree_util.Partial(function, params)`. It does its own normalisation.
    images: float32 [B, H, W, 3] in [0, 1].
    labels: integers [B] in 0..K-1.
    epsilon: radius in [0, 1] pixel units (4/255), one for all or [B].
    key: of `jax.random.key`; each example draws from it by its row.
    slots: examples per device that are attacked at a time; one program serves any B.

  Returns:
    Result, numpy arrays with one row per example.

  Raises:
    InputError: an argument has the wrong shape, type or range.

  Example:
    >>> result = attacks.run(
    ...   attacks.pgd(steps=40), classifier, images, labels, epsilon=4 / 255, key=jax.random.key(0)
    ... )
    >>> result.success.mean()
  """
  images, labels, epsilons = _checked(classifier, images, labels, epsilon)
  keys = jax.vmap(functools.partial(jax.random.fold_in, key))(np.arange(len(images)))
  slots = min(slots, -(-len(images) // devices.mesh().size))
  arrays = (keys, images, labels, epsilons)
  batches = devices.stream(_sharded(attack), devices.replicate(classifier), arrays, slots)
  return jax.tree.map(lambda *parts: np.concatenate(parts), *(batch.fetch() for batch in batches))


def _checked(classifier: Classifier, images: Any, labels: Any, epsilon: Any) -> tuple[Any, ...]:
  """The arguments of `run` as arrays; InputError names the first that is wrong."""
  images, labels = np.asarray(images), np.asarray(labels)
  if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.float32 or not len(images):
    raise errors.InputError(
      f"images must be float32 [B, H, W, 3] with B >= 1, not {images.dtype} {list(images.shape)}"
    )
  if not (images.min() >= 0 and images.max() <= 1):
    raise errors.InputError(
      f"images must be in [0, 1], not [{images.min():g}, {images.max():g}]; "
      "normalisation belongs inside the classifier"
    )
  classes = jax.eval_shape(lambda c, x: c(x), classifier, images[:1]).shape[-1]
  integer = np.issubdtype(labels.dtype, np.integer)
  if not integer or labels.shape != images.shape[:1] or labels.min() < 0 or labels.max() >= classes:
    raise errors.InputError(f"labels must be {len(images)} integers in 0..{classes - 1}")
  epsilons = np.asarray(epsilon, np.float32)
  if epsilons.ndim > 1 or (epsilons.ndim and len(epsilons) != len(images)) or epsilons.min() < 0:
    raise errors.InputError("epsilon must be one number >= 0, or one for each image")
  return images, labels.astype(np.int32), np.broadcast_to(epsilons, len(images))
