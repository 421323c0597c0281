"""The only judge of success: a float32 forward pass on the image that is returned.

What is returned is inside the ball and [0, 1], or it is the clean image. Where a logit of it is no
number, `NOTHING` is predicted. An attack has had success where the prediction is not the label, or
where the goal of an `Aimed` classifier is reached.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import devices
from jaxbench.attacks.base import Classifier, as_float
from jaxbench.attacks.engine import evaluations
from jaxbench.attacks.engine.job import NOBODY, Job
from jaxbench.attacks.goals import Aimed
from jaxbench.attacks.parts.norms import Norm

NOTHING = -1  # In place of a class.
_TOLERANCE = 1e-6  # Pixel units: what float32 rounding may add to a radius.


@struct.dataclass
class Verdict:
  """What the judge says of the jobs that left their slots; arrays [S, ...]."""

  row: jax.Array  # [] int32, or `job.NOBODY`.
  image: jax.Array  # [H, W, 3] float32: what is returned.
  # [K] float32, of it; of a randomised classifier the mean. Here as below, None of no classifier.
  logits: jax.Array | None
  prediction: jax.Array | None  # [] int32, or NOTHING.
  claimed: jax.Array  # [] bool: the attack says that it fools.
  distance: jax.Array  # [] float32, from the clean image; never more than the radius.
  steps: jax.Array  # [] int32.
  votes: jax.Array | None  # [R] int32: of a randomised classifier, its predictions.
  excess: jax.Array | None  # [] float32: of an `Aimed` one, above 0 where its goal is reached.


@functools.cache
def judge(norm: Norm) -> Callable[..., Verdict]:
  """A program (classifier, jobs) -> Verdict, mapped over the devices."""

  def verdict(classifier: Classifier, job: Job) -> Verdict:
    image, distance = inside(norm, job.image, job.clean, job.radius)

    def classified(images: jax.Array) -> evaluations.Answers:
      return evaluations.ask(classifier, images, job.words)

    nothing = jax.tree.map(jnp.zeros_like, jax.eval_shape(classified, image))
    # Often nobody has left, as when the first ones have only come in.
    answers = jax.lax.cond((job.row != NOBODY).any(), classified, lambda _: nothing, image)
    excess = None
    if isinstance(classifier, Aimed):
      excess = classifier.excess(answers.logits, job.label)
    return Verdict(
      row=job.row,
      image=image,
      logits=answers.logits,
      prediction=chosen(answers),
      claimed=job.fooled,
      distance=distance,
      steps=job.steps,
      votes=answers.votes,
      excess=excess,
    )

  return devices.shard(verdict)


@functools.cache
def unjudged(norm: Norm) -> Callable[..., Verdict]:
  """A program (nothing, jobs) -> Verdict by no classifier, mapped over the devices."""

  def returned(_: tuple[()], job: Job) -> Verdict:
    image, distance = inside(norm, job.image, job.clean, job.radius)
    unknown = dict.fromkeys(("logits", "prediction", "votes", "excess"))
    return Verdict(
      row=job.row, image=image, claimed=job.fooled, distance=distance, steps=job.steps, **unknown
    )

  return devices.shard(returned, network=False)


def inside(
  norm: Norm, images: jax.Array, clean: jax.Array, radius: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Images [S, H, W, 3], the clean ones where they are outside ball or box, and distances [S]."""
  distance = jax.vmap(norm.size)(images - clean)
  real = ((images >= 0) & (images <= 1)).all(axis=(1, 2, 3))
  real &= distance <= radius * (1 + _TOLERANCE) + _TOLERANCE
  images = jnp.where(real[:, None, None, None], images, clean)
  return images, jnp.where(real, jnp.minimum(distance, radius), 0.0)


def chosen(answers: evaluations.Answers) -> jax.Array:
  """int32 [B]: the class that is predicted."""
  best = jnp.argmax(answers.scores, axis=-1)
  return jnp.where(answers.finite, best, NOTHING).astype(jnp.int32)


def predict(logits: Any, xp: Any = jnp) -> Any:
  """int32 [B] of logits [B, K]; of equal ones the first class.

  Arrays are those of `xp`: of jax.numpy in a program; of numpy on the host.
  """
  finite = xp.isfinite(logits).all(axis=-1)
  return xp.where(finite, xp.argmax(logits, axis=-1), NOTHING).astype(xp.int32)


def leads(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """By how much the labels [N] lead in logits [N, K], and the size of the larger logit in each."""
  label_logits = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
  others = np.where(np.arange(logits.shape[1]) == labels[:, None], -np.inf, logits).max(axis=1)
  return label_logits - others, np.maximum(np.abs(label_logits), np.abs(others))


@functools.cache
def classify(*, quick: bool = False) -> Callable[..., jax.Array]:
  """A program (classifier, images [B, H, W, 3]) -> float32 logits [B, K]; see `devices.shard`."""

  def forward(classifier: Classifier, images: jax.Array) -> jax.Array:
    return classifier(as_float(images)).astype(jnp.float32)

  return devices.shard(forward, quick=quick)


def logits(
  classifier: devices.Replicated, images: np.ndarray, slots: int, *, quick: bool = False
) -> np.ndarray:
  """float32 [N, K] of images [N, H, W, 3], float32 in [0, 1] or uint8."""
  batches = devices.stream(classify(quick=quick), classifier, (images,), slots)
  return np.concatenate([batch.fetch() for batch in batches])


@functools.cache
def _ask() -> Callable[..., Any]:
  """A program (classifier, images [B, H, W, 3], words [B, 2]) -> its answers."""

  def program(classifier: Classifier, images: jax.Array, words: jax.Array) -> Any:
    answers = evaluations.ask(classifier, as_float(images), words)
    return answers.logits, chosen(answers), answers.votes

  return devices.shard(program)


def asked(
  classifier: devices.Replicated, images: np.ndarray, words: np.ndarray, slots: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Of a randomised classifier: logits [N, K], predictions [N] and votes int32 [N, R].

  Args:
    classifier: an `evaluations.Repeated`.
    images: [N, H, W, 3] float32 in [0, 1] or uint8.
    words: uint32 [N, 2], of the examples' keys.
    slots: images per device and batch.
  """
  batches = devices.stream(_ask(), classifier, (images, words), slots)
  parts = zip(*(batch.fetch() for batch in batches), strict=True)
  logits, predictions, votes = (np.concatenate(part) for part in parts)
  return logits, predictions, votes
