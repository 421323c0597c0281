"""Set-level guidance attack (Lu et al., 2023, arXiv:2307.14061)."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Classifier, logits_of
from jaxbench.attacks.joint.base import Joint, signed, unit
from jaxbench.attacks.parts import losses

_CUBIC = -0.75  # Torch's, without antialiasing, which its images of tensors have.


@struct.dataclass
class Likeness:
  """How like images are to all captions of each image of a set."""

  encoder: Any  # Images -> features [B, D].
  texts: jax.Array  # [N, D] float32: the sum over an image's captions of their unit embeddings.

  def __call__(self, images: jax.Array) -> jax.Array:
    """[B, N], sums of cosines."""
    return unit(self.encoder(images).astype(jnp.float32)) @ self.texts.T


@functools.cache
def sga(
  *,
  steps: int = 10,
  step_size: float = 0.5 / 255,
  scales: tuple[float, ...] = (0.5, 0.75, 1.25, 1.5),
  noise: float = 0.05,
) -> Joint:
  """SGA (Lu et al., 2023, arXiv:2307.14061): images away from all their texts, texts from images.

  Texts are moved away from their images, images from all of these, and texts, as they were, from
  the moved images. An image is moved by the sum of its views' gradients: itself, and with noise at
  other sizes.

  Args:
    steps: signed ones.
    step_size: of one, in pixel units; epsilon is 2/255 there.
    scales: of the other views.
    noise: standard deviation of what is added to them, drawn anew at each step.

  Raises:
    InputError: a value is out of range.
  """
  if steps < 1 or step_size <= 0 or noise < 0:
    raise errors.InputError(
      f"sga needs steps >= 1, step_size > 0 and noise >= 0, not {steps}, {step_size}, {noise}"
    )
  if not isinstance(scales, tuple) or not all(0 < scale <= 4 for scale in scales):
    raise errors.InputError(f"sga: scales={scales!r} are not several in (0, 4], as (0.5, 1.5)")

  def gradient(
    classifier: Classifier, image: jax.Array, label: jax.Array, key: jax.Array
  ) -> jax.Array:
    views = _views(image.shape[:2], scales)

    def of_view(given: tuple[_View, jax.Array]) -> jax.Array:
      view, key = given
      added = noise * view.noisy * jax.random.normal(key, image.shape)

      def value(image: jax.Array) -> jax.Array:
        return losses.label_logit(logits_of(classifier, _seen(view, image + added)), label)

      return jax.grad(value)(image)

    # One view after another: all at once would not fit.
    return jax.lax.map(of_view, (views, jax.random.split(key, 1 + len(scales)))).sum(axis=0)

  def guide(encoder: Any, images: np.ndarray, texts: np.ndarray, owners: np.ndarray) -> Likeness:
    sums = np.zeros_like(images)
    np.add.at(sums, owners, texts)
    return Likeness(encoder, jnp.asarray(sums))

  attack = signed(
    gradient,
    steps=steps,
    stride=lambda epsilon: step_size,
    lowest=-1.0,
    passes=1 + len(scales),
    transforms=True,
  )
  return Joint(attack, guide, objective="dissim", again=True)


class _View(NamedTuple):
  """A resize there and back, in matrices of one shape: those of small views end in zeros."""

  noisy: Any  # [] float32, 0 of the image itself.
  down: tuple[Any, Any]  # [M, H] and [M, W] float32.
  up: tuple[Any, Any]  # [H, M] and [W, M] float32.


def _seen(view: _View, image: jax.Array) -> jax.Array:
  """A view of an image [H, W, 3]: clipped where it is small or large, as in the authors' code."""
  small = _resized(view.down, image)
  inside = (small >= 0) & (small <= 1)
  clipped = jnp.where(inside, small, jax.lax.stop_gradient(jnp.clip(small, 0, 1)))
  return _resized(view.up, clipped)


def _resized(lines: tuple[Any, Any], image: jax.Array) -> jax.Array:
  """Exactly, also where products of matrices are rounded by default: views are near the image."""
  highest = jax.lax.Precision.HIGHEST
  return jnp.einsum("mh,hwc,nw->mnc", lines[0], image, lines[1], precision=highest)


@functools.cache
def _views(shape: tuple[int, int], scales: tuple[float, ...]) -> _View:
  """Of an image [H, W]: itself, then one for each scale, stacked."""
  sizes = [[max(int(scale * side), 1) for side in shape] for scale in (1, *scales)]
  most = np.max(sizes, axis=0)
  down, up = [], []
  for side, (length, whole) in enumerate(zip(shape, most, strict=True)):
    there = [_bicubic(length, size[side]) for size in sizes]
    back = [_bicubic(size[side], length) for size in sizes]
    down.append(np.stack([np.pad(each, ((0, whole - len(each)), (0, 0))) for each in there]))
    up.append(np.stack([np.pad(each, ((0, 0), (0, whole - each.shape[1]))) for each in back]))
  noisy = np.array([0, *(1 for _ in scales)], np.float32)
  return _View(noisy, (down[0], down[1]), (up[0], up[1]))


def _bicubic(length: int, size: int) -> np.ndarray:
  """float32 [size, length]: the resize of a line, whose ends go on as they are."""
  if size == length:
    return np.eye(length, dtype=np.float32)
  centres = (np.arange(size) + 0.5) * length / size - 0.5
  first = np.floor(centres).astype(np.int64) - 1
  matrix = np.zeros((size, length))
  for tap in range(4):
    away = np.abs(centres - (first + tap))
    near = ((_CUBIC + 2) * away - (_CUBIC + 3)) * away**2 + 1
    far = ((away - 5) * away + 8) * away * _CUBIC - 4 * _CUBIC
    weights = np.where(away <= 1, near, far)
    np.add.at(matrix, (np.arange(size), np.clip(first + tap, 0, length - 1)), weights)
  return matrix.astype(np.float32)
