"""Signs in the clean images that a robustness figure cannot be trusted; AutoAttack's, and more.

Reference: Croce & Hein, 2020 (arXiv:2003.01690), and the flags of its implementation.
"""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import devices
from jaxbench.attacks.base import Cascade, Classifier, as_float, logits_of
from jaxbench.attacks.engine import verdict, view
from jaxbench.attacks.engine.doubt import Doubt
from jaxbench.attacks.parts import losses

_SIMPLEX = 1e-5  # How near to a distribution logits are suspect.
_STEADY = 1e-3  # Share of the median margin that a margin may change by from pass to pass.
_ROUNDING = 128  # Units in the last place of a logit that two programs may differ by.
_VANISHED = -87.0  # Log-odds at which the gradient of a softmax is zero in float32.
_FLAT = 0.1  # Range of logits below which a softmax hardly tells classes apart.


def of_classifier(
  classifier: devices.Replicated,
  images: np.ndarray,
  labels: np.ndarray,
  slots: int,
  logits: np.ndarray | None = None,
) -> tuple[Doubt, ...]:
  """What clean images show of a classifier, whatever attacks it.

  Args:
    classifier: on the devices.
    images: float32 [N, H, W, 3] or uint8.
    labels: int32 [N].
    slots: images per device and batch.
    logits: float32 [N, K], of a first pass by `verdict.classify`, whose program then serves for
      the others; by default all passes are by one that is quick to compile.
  """
  classify = verdict.classify(quick=logits is None)
  if logits is None:
    logits = verdict.logits(classifier, images, slots, quick=True)
  size = slots * devices.mesh().size
  rows = np.arange(size) % min(len(images), size)
  searcher = view.distinct(classifier.tree())  # As attacks see it.
  searched = view.searched(searcher, labels)
  program = _gradients()
  gradients = devices.fetch(program(devices.replicate(searcher), images[rows], searched[rows]))
  alone = view.spread(searcher, gradients.logits)

  def again(shown: np.ndarray) -> np.ndarray:
    return devices.fetch(classify(classifier, shown))

  gradients = jax.tree.map(lambda array: array[: len(images)], gradients)
  return (
    *_of_logits(logits),
    *_of_passes(again, images[rows], labels[rows], logits[rows], alone),
    *_of_gradients(gradients),
  )


def of_cascade(cascade: Cascade, classes: int) -> tuple[Doubt, ...]:
  """What an attack cannot do with so few classes."""
  return (*_of_losses(cascade, classes), *_of_targets(cascade, classes))


def _of_losses(cascade: Cascade, classes: int) -> Iterator[Doubt]:
  if any(attack.classes > classes for attack in cascade.attacks):
    instead = "margin itself" if classes < 3 else "third logit for the fourth"
    yield Doubt("few_classes", f"with {classes} classes, DLR takes the {instead} instead")


def _of_targets(cascade: Cascade, classes: int) -> Iterator[Doubt]:
  most = max(attack.targets for attack in cascade.attacks)
  if most > classes - 1:
    yield Doubt(
      "fewer_targets",
      f"{most} targets were asked for; {classes} classes have {classes - 1}, which were taken",
    )


def _of_logits(logits: np.ndarray) -> Iterator[Doubt]:
  finite = np.isfinite(logits).all(axis=-1)
  if not finite.all():
    yield Doubt(
      "not_finite",
      f"logits of {(~finite).sum()} of {len(finite)} clean images are not finite; they count "
      "against the model, with the prediction -1: mend the model",
    )
  some = logits[finite]
  distributed = np.abs(some.sum(axis=-1) - 1) < _SIMPLEX
  distributed &= (some > -_SIMPLEX).all(axis=-1) & (some < 1 + _SIMPLEX).all(axis=-1)
  if len(some) and distributed.all():
    yield Doubt(
      "softmax",
      f"the outputs for all {len(some)} clean images are probabilities, whose gradients vanish; "
      "return logits instead",
    )


def _of_passes(
  classify: Callable[[np.ndarray], np.ndarray],
  images: np.ndarray,
  labels: np.ndarray,
  logits: np.ndarray,
  alone: np.ndarray,
) -> Iterator[Doubt]:
  """Whether the same images have the same logits again, in other places, and alone."""

  def changed(other: np.ndarray) -> int:
    return int(_parted(logits, other, labels).sum())

  count = len(images)
  turned = classify(np.roll(images, 1, axis=0))
  counts = {
    "beside other images": changed(np.roll(turned, -1, axis=0)),
    "in a batch of their own": changed(alone),
  }
  if not any(counts.values()):
    return
  if moved := changed(classify(images)):
    yield Doubt(
      "randomized",
      f"two passes over the same images gave different logits to {moved} of {count}; attacks and "
      "verdicts assume that they do not: fix the classifier's randomness, or average it inside",
    )
    return
  seen = " and ".join(f"{number} of {count} {place}" for place, number in counts.items() if number)
  yield Doubt(
    "batch_dependent",
    f"images have other logits {seen}: verdicts depend on the batch, and on the number of slots; "
    "let the classifier treat each image by itself (in torch: module.eval())",
  )


def _parted(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> np.ndarray:
  """Whose margins [N] differ by more than rounding, and by enough to matter for verdicts.

  Where the first are not finite there is nothing to compare.
  """
  finite = np.isfinite(first).all(axis=-1)
  if not finite.any():
    return ~finite & finite
  margins, sizes = verdict.leads(first[finite], labels[finite])
  others, _ = verdict.leads(second[finite], labels[finite])
  allowed = _STEADY * np.median(np.abs(margins)) + _ROUNDING * np.finfo(np.float32).eps * sizes
  parted = finite.copy()
  parted[finite] = ~(np.abs(margins - others) <= allowed)
  return parted


@struct.dataclass
class _Gradients:
  """What the gradient at each clean image is like; arrays [B]."""

  finite: jax.Array  # [] bool: the logits are. Others are not attacked.
  flat: jax.Array  # [] bool: the margin's gradient is zero.
  broken: jax.Array  # [] bool: it is not finite.
  odds: jax.Array  # [] float32: log-odds against the label.
  range: jax.Array  # [] float32: by how much the farthest logit differs from the label's.
  logits: jax.Array  # [K] float32, of a batch of one, as in attacks.


def _of_gradients(gradients: _Gradients) -> Iterator[Doubt]:
  count = len(gradients.finite)
  gradients = jax.tree.map(lambda array: array[gradients.finite], gradients)
  if flat := int(gradients.flat.sum()):
    yield Doubt(
      "zero_gradient",
      f"the margin of {flat} of {count} clean images has no gradient at all; gradient attacks are "
      "blind there: trust Square",
    )
  if broken := int(gradients.broken.sum()):
    yield Doubt(
      "gradient_not_finite",
      f"the gradient at {broken} of {count} clean images is not finite; gradient attacks are blind "
      "there: trust Square",
    )
  if saturated := int((gradients.odds < _VANISHED).sum()):
    yield Doubt(
      "saturated",
      f"the labels of {saturated} of {count} clean images lead by so much that the gradient of a "
      "softmax in float32 is zero; the cross-entropy here goes on along its tangent, a loss of "
      "your own may not: take margin or dlr, or divide the logits",
    )
  if alike := int((gradients.range < _FLAT).sum()):
    yield Doubt(
      "flat_logits",
      f"the logits of {alike} of {count} clean images differ by less than {_FLAT:g}: their softmax "
      "is nearly uniform, and the cross-entropy a weak loss: take dlr, or multiply the logits",
    )


@functools.cache
def _gradients() -> Callable[..., _Gradients]:
  """A program (searcher, images, labels) -> _Gradients."""

  def at(classifier: Classifier, image: jax.Array, label: jax.Array) -> _Gradients:
    def objective(image: jax.Array) -> tuple[jax.Array, jax.Array]:
      logits = logits_of(classifier, image).astype(jnp.float32)
      return losses.margin(logits, label), logits

    slope, logits = jax.grad(objective, has_aux=True)(image)
    return _Gradients(
      finite=jnp.isfinite(logits).all(),
      flat=~(slope != 0).any(),
      broken=~jnp.isfinite(slope).all(),
      odds=losses.log_odds(logits, label),
      range=jnp.abs(logits - logits[label]).max(),
      logits=logits,
    )

  def program(classifier: Classifier, images: jax.Array, labels: jax.Array) -> _Gradients:
    return jax.vmap(at, (None, 0, 0))(classifier, as_float(images), labels)

  return devices.shard(program, quick=True)
