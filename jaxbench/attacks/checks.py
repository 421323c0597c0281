"""Signs that a robustness figure cannot be trusted, after AutoAttack's own checks.

Reference: Croce & Hein, 2020 (arXiv:2003.01690), and the flags of its implementation.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import devices
from jaxbench.attacks import losses, verdict
from jaxbench.attacks.base import Cascade, Classifier, as_float, logits_of


class Warning(NamedTuple):
  """One reason for doubt."""

  name: str  # Stable, for programs.
  detail: str  # What was seen, and what to do.


_FORGETTING = 1e-4  # Largest distance between two passes' normalised logits.
_SIMPLEX = 1e-5  # How near to a distribution logits are suspect.
_BLACK_BOX = 0.002  # Share of examples that Square may win alone.


def before(
  cascade: Cascade,
  classifier: devices.Replicated,
  images: np.ndarray,
  labels: np.ndarray,
  logits: np.ndarray,
  slots: int,
) -> tuple[Warning, ...]:
  """What the clean images show.

  Args:
    cascade: what is about to be run.
    classifier: on the devices.
    images: float32 [N, H, W, 3] or uint8.
    labels: int32 [N].
    logits: float32 [N, K], of a first pass.
    slots: images per device and batch.
  """
  found = []
  classes = logits.shape[-1]
  finite = np.isfinite(logits).all(axis=-1)
  if not finite.all():
    detail = f"logits of {(~finite).sum()} of {len(finite)} clean images are not finite; "
    found.append(Warning("not_finite", detail + "these images were not attacked"))
  batch = min(len(images), slots * devices.mesh().size)
  rows = np.arange(slots * devices.mesh().size) % batch
  first, start = logits[:batch], (images[rows], labels[rows])
  again = devices.fetch(verdict.classify()(classifier, start[0]))[:batch]
  if np.linalg.norm(_unit(first) - _unit(again), axis=-1).max(initial=0) > _FORGETTING:
    detail = (
      "two passes over the same images gave different logits; attacks and verdicts assume that "
      "they do not: fix the classifier's randomness, or average over it inside the classifier"
    )
    found.append(Warning("randomized", detail))
  rows_sum = np.abs(first.sum(axis=-1) - 1).max(initial=0)
  if first.min() > -_SIMPLEX and first.max() < 1 + _SIMPLEX and rows_sum < _SIMPLEX:
    detail = "the outputs are probabilities, whose gradients vanish; return logits instead"
    found.append(Warning("softmax", detail))
  gradients, broken = devices.fetch(_gradients()(classifier, *start))
  if count := int(gradients[:batch].sum()):
    detail = f"the margin of {count} of {batch} clean images has no gradient at all; "
    found.append(
      Warning("zero_gradient", detail + "gradient attacks are blind there: trust Square")
    )
  if count := int(broken[:batch].sum()):
    detail = f"the gradient at {count} of {batch} clean images is not finite; "
    found.append(Warning("gradient_not_finite", detail + "gradient attacks are blind there"))
  if any(one.classes > classes for one in cascade.attacks):
    detail = (
      f"with {classes} classes, DLR takes the "
      f"{'margin itself' if classes < 3 else 'third logit for the fourth'} instead"
    )
    found.append(Warning("few_classes", detail))
  most = max(one.targets for one in cascade.attacks)
  if most > classes - 1:
    detail = (
      f"{most} targets were asked for; {classes} classes have {classes - 1}, which were taken"
    )
    found.append(Warning("fewer_targets", detail))
  return tuple(found)


def after(cascade: Cascade, stage: np.ndarray, examples: int) -> tuple[Warning, ...]:
  """What the outcome shows.

  Args:
    cascade: what was run.
    stage: int32 [N], which attack of it succeeded, or -1.
    examples: N, those included that needed no attack.
  """
  if "square" not in cascade.names or len(cascade.names) < 2:
    return ()
  alone = int((stage == cascade.names.index("square")).sum())
  if alone <= _BLACK_BOX * examples:
    return ()
  detail = f"Square fooled {alone} of {examples} examples that every gradient attack had left: "
  return (Warning("gradient_masking", detail + "gradients are likely masked; adapt the attack"),)


def _unit(logits: np.ndarray) -> np.ndarray:
  return logits / (np.linalg.norm(logits, axis=-1, keepdims=True) + 1e-10)


@functools.cache
def _gradients() -> Callable[..., tuple[jax.Array, jax.Array]]:
  """A program (classifier, images, labels) -> bool [B] zero gradient, bool [B] not finite."""

  def one(
    classifier: Classifier, image: jax.Array, label: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    slope = jax.grad(lambda image: losses.margin(logits_of(classifier, image), label))(image)
    return ~(slope != 0).any(), ~jnp.isfinite(slope).all()

  def gradients(
    classifier: Classifier, images: jax.Array, labels: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    return jax.vmap(one, (None, 0, 0))(classifier, as_float(images), labels)

  return devices.shard(gradients)
