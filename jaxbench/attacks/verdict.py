"""The only judge of success: a float32 forward pass on the image that an attack returns."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import devices
from jaxbench.attacks import losses
from jaxbench.attacks.base import Classifier, as_float
from jaxbench.attacks.norms import Norm
from jaxbench.attacks.slots import Job

_TOLERANCE = 1e-6  # Pixel units: what float32 rounding may add to a radius.


@struct.dataclass
class Verdict:
  """On the jobs that left their slots; arrays [S, ...]."""

  row: jax.Array  # [] int32, or `slots.NOBODY`.
  logits: jax.Array  # [K] float32, of the returned image.
  prediction: jax.Array  # [] int32.
  success: jax.Array  # [] bool: misclassified, inside the ball and [0, 1].
  claimed: jax.Array  # [] bool: success, if it were for the attack.
  distance: jax.Array  # [] float32, from the clean image.
  steps: jax.Array  # [] int32.


@functools.cache
def judge(norm: Norm) -> Callable[..., Verdict]:
  """A program (classifier, jobs) -> Verdict, mapped over the devices."""

  def verdict(classifier: Classifier, job: Job) -> Verdict:
    logits = classifier(job.image)
    radius = jnp.where(jnp.isfinite(job.high), job.high, job.epsilon)
    real, distance = inside(norm, job.image, job.clean, radius)
    return Verdict(
      row=job.row,
      logits=logits.astype(jnp.float32),
      prediction=jnp.argmax(logits, axis=-1).astype(jnp.int32),
      success=real & jax.vmap(losses.fooled)(logits, job.label),
      claimed=job.fooled,
      distance=distance,
      steps=job.steps,
    )

  return devices.shard(verdict)


def inside(
  norm: Norm, images: jax.Array, clean: jax.Array, radius: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Whether images [S, H, W, 3] are in the ball and in [0, 1], and their distances [S]."""
  distance = jax.vmap(norm.size)(images - clean)
  boxed = ((images >= 0) & (images <= 1)).all(axis=(1, 2, 3))
  return boxed & (distance <= radius * (1 + _TOLERANCE) + _TOLERANCE), distance


@functools.cache
def classify() -> Callable[..., jax.Array]:
  """A program (classifier, images [B, H, W, 3]) -> float32 logits [B, K]."""

  def forward(classifier: Classifier, images: jax.Array) -> jax.Array:
    return classifier(as_float(images)).astype(jnp.float32)

  return devices.shard(forward)


def logits(classifier: devices.Replicated, images: np.ndarray, slots: int) -> np.ndarray:
  """float32 [N, K] of images [N, H, W, 3], float32 in [0, 1] or uint8."""
  batches = devices.stream(classify(), classifier, (images,), slots)
  return np.concatenate([batch.fetch() for batch in batches])
