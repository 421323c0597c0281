"""Transformations of the input (Guo et al., 2018, arXiv:1711.00117; Xu et al., 2018, 1704.01155).

The low pass is the one of CSR. Linear filters have exact gradients; what rounds has, whatever
`backward` is, that of the identity.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.defences import base
from jaxbench.defences.base import Cost, Defence

_SIDE = 224  # Pixels that the radius of a low pass is given at.
_BLUR = 5  # Taps of the Gaussian.
Jpeg = Callable[[jax.Array, jax.Array], jax.Array]  # (uint8 [H, W, 3], int32 []) -> uint8.


@struct.dataclass
class Transform(Defence):
  """Answers a filtered or rounded image."""

  kind: str = struct.field(pytree_node=False)
  radius: float = struct.field(pytree_node=False)
  order: int = struct.field(pytree_node=False)
  sigma: float = struct.field(pytree_node=False)
  bits: int = struct.field(pytree_node=False)
  quality: int = struct.field(pytree_node=False)
  jpeg: Jpeg | None = struct.field(pytree_node=False)

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    return self.answer(self.transformed(image), key)

  def transformed(self, image: jax.Array) -> jax.Array:
    """[H, W, 3] float32 in [0, 1] -> the same."""
    made = KINDS[self.kind](self, image)
    rounds = self.kind in ("bits", "jpeg") or self.backward == "bpda"
    return base.with_gradient_of(image, made) if rounds else made

  def features(self, images: jax.Array) -> jax.Array:
    """Those of transformed images [B, H, W, 3], where the classifier has features."""
    return self.classifier.features(jax.vmap(self.transformed)(images))

  def classify(self, features: jax.Array) -> jax.Array:
    """Logits [B, K] of features [B, D]."""
    return self.classifier.classify(features)

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(1)


def _lowpass(shape: Callable[[Transform, np.ndarray], np.ndarray]) -> Callable[..., jax.Array]:
  """A filter whose gain is `shape` of distances to the zero frequency over the radius."""

  def filtered(defence: Transform, image: jax.Array) -> jax.Array:
    height, width, _ = image.shape
    radius = defence.radius * np.array([height, width]) / _SIDE
    rows, columns = np.fft.fftfreq(height, 1 / height), np.fft.fftfreq(width, 1 / width)
    distances = np.hypot(rows[:, None] / radius[0], columns[None] / radius[1])
    gain = jnp.asarray(shape(defence, distances), jnp.float32)[..., None]
    spectrum = jnp.fft.fft2(image, axes=(0, 1)) * gain.astype(jnp.complex64)
    return base.bounded(jnp.fft.ifft2(spectrum, axes=(0, 1)).real, 0.0, 1.0)

  return filtered


def blurred(image: jax.Array, sigma: float) -> jax.Array:
  """One image [H, W, 3] under a Gaussian of 5 x 5 taps, mirrored at the edges."""
  reach = _BLUR // 2
  weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
  weights = (weights / weights.sum()).astype(np.float32)
  padded = jnp.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
  height, width, _ = image.shape
  down = jnp.tensordot(weights, jnp.stack([padded[at : at + height] for at in range(_BLUR)]), 1)
  return jnp.tensordot(weights, jnp.stack([down[:, at : at + width] for at in range(_BLUR)]), 1)


def _reduced(defence: Transform, image: jax.Array) -> jax.Array:
  levels = 2**defence.bits - 1
  return jnp.round(image * levels) / levels


def _compressed(defence: Transform, image: jax.Array) -> jax.Array:
  assert defence.jpeg is not None  # Or the factory has raised.
  pixels = jnp.round(image * 255).astype(jnp.uint8)
  return defence.jpeg(pixels, jnp.int32(defence.quality)).astype(jnp.float32) / 255


KINDS: dict[str, Callable[[Transform, jax.Array], jax.Array]] = {
  "gaussian": _lowpass(lambda defence, x: np.exp(-(x**2) / 2)),
  "butterworth": _lowpass(lambda defence, x: 1 / (1 + x ** (2 * defence.order))),
  "ideal": _lowpass(lambda defence, x: x <= 1),
  "blur": lambda defence, image: blurred(image, defence.sigma),
  "bits": _reduced,
  "jpeg": _compressed,
}


def transform(
  classifier: Any,
  jpeg: Jpeg | None = None,
  *,
  kind: str = "gaussian",
  radius: float = 40.0,
  order: int = 2,
  sigma: float = 1.0,
  bits: int = 4,
  quality: int = 75,
  backward: str = "exact",
  seed: int = 0,
) -> Transform:
  """One of `KINDS` before the answer.

  Args:
    classifier: a pytree callable, images -> logits; with `features` and `classify`, the result has
      them too.
    jpeg: compresses and decompresses, (uint8 [H, W, 3], quality) -> uint8, as
      `corruptions.jpeg.round_trip` does. Only "jpeg" needs it.
    kind: "gaussian", "butterworth" or "ideal", a low pass in frequencies; "blur", a Gaussian of 5 x
      5 pixels; "bits", fewer of them; "jpeg".
    radius: of a low pass, in bins at 224 pixels a side, where the gain is 0.61, a half or the last
      one; at other sizes it is the same share of them.
    order: of "butterworth".
    sigma: of "blur", in pixels.
    bits: of "bits", for each channel.
    quality: of "jpeg", 1 to 100.
    backward: see `Defence`.
    seed: of what it may wrap; it draws nothing itself.

  Raises:
    InputError: a value is out of range, a name unknown, or "jpeg" has no function.
  """
  base.check(
    "transform",
    backward=backward,
    radius=(radius, 1e-6),
    order=(order, 1),
    sigma=(sigma, 1e-6),
    bits=(bits, 1),
    quality=(quality, 1),
  )
  if kind not in KINDS:
    raise errors.unknown("kind of transform", kind, KINDS)
  if quality > 100 or bits > 16:
    raise errors.InputError(f"transform: quality={quality} is above 100, or bits={bits} above 16")
  if kind == "jpeg" and jpeg is None:
    raise errors.InputError(
      "transform(kind='jpeg') needs a function: transform(classifier, corruptions.jpeg.round_trip)"
    )
  return Transform(classifier, backward, seed, kind, radius, order, sigma, bits, quality, jpeg)
