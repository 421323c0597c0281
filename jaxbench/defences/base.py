"""What a test-time defence is: a pure function of one image and a key, around a classifier."""

import dataclasses
from typing import Any, ClassVar, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors, threefry

BACKWARDS = ("exact", "bpda", "smooth")
COMPAT = ("clean", "official")
_SOFTNESS = 0.05  # Of a gate, where derivatives are those of a sigmoid.
_OWN, _INNER = 0, 1  # What a key is folded with: for a defence's draws, for those of what it wraps.
T = TypeVar("T", bound="Defence")


class Cost(NamedTuple):
  """Passes of the networks for one prediction."""

  forwards: int  # Of the image encoder, or of the whole of a supervised model.
  backwards: int = 0
  text_forwards: int = 0  # Of the text encoder.
  text_backwards: int = 0


@struct.dataclass
class Defence:
  """A pytree callable: images float32 [B, H, W, 3] in [0, 1] -> logits float32 [B, K].

  A subclass gives `one` and `passes`. Nothing goes from one image to the next, and what is drawn
  depends on the key alone: the place in a batch and the size of it change no more than rounding.
  """

  classifier: Any  # What is defended: a pytree callable, another defence for one.
  # How derivatives are taken, one of `BACKWARDS`; outputs are the same. "exact": through all that
  # is done. "bpda": what the defence adds to an image is a constant (Athalye et al., 2018,
  # arXiv:1802.00420). "smooth": signs have the slope of a tanh, and gates that of a sigmoid.
  backward: str = struct.field(pytree_node=False)
  seed: int = struct.field(pytree_node=False)  # Of the draws where no key is given.

  draws: ClassVar[bool] = False  # Whether it draws random numbers itself.

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """Logits [K] of one image [H, W, 3]."""
    raise NotImplementedError

  def __call__(self, images: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """Logits; all images share the draws of the `key`, by default that of the seed."""
    key = threefry.key(self.seed) if key is None else threefry.quick(key)
    return jax.vmap(self.one, (0, None))(images, key)

  @property
  def passes(self) -> Cost:
    """Those of one prediction, counted in passes of `classifier`."""
    raise NotImplementedError

  @property
  def cost(self) -> Cost:
    """Those of one prediction, counted in passes of the networks inside."""
    own, inner = self.passes, getattr(self.classifier, "cost", Cost(1))
    return Cost(
      own.forwards * inner.forwards,
      own.forwards * inner.backwards + own.backwards * inner.forwards,
      own.forwards * inner.text_forwards + own.text_forwards,
      own.forwards * inner.text_backwards + own.text_backwards,
    )

  @property
  def random(self) -> bool:
    """Whether another key gives other logits."""
    return self.draws or getattr(self.classifier, "random", False)

  @property
  def same_as(self) -> jax.Array | None:
    """Classes that are called the same: see `models.ZeroShot`."""
    return getattr(self.classifier, "same_as", None)

  def compute_in(self: T, dtype: str) -> T:
    """The same around the classifier in another dtype; its own arithmetic stays float32."""
    return dataclasses.replace(self, classifier=self.classifier.compute_in(dtype))

  def own(self, key: jax.Array) -> jax.Array:
    """The key of this defence's draws."""
    return jax.random.fold_in(key, _OWN)

  def answer(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """Logits [K] of what is defended, of one image."""
    if getattr(self.classifier, "random", False):
      return self.classifier(image[None], key=jax.random.fold_in(key, _INNER))[0]
    return self.classifier(image[None])[0]

  def added(self, image: jax.Array, delta: jax.Array) -> jax.Array:
    """The image with what the defence adds to it, which is a constant to "bpda"."""
    return image + (jax.lax.stop_gradient(delta) if self.backward == "bpda" else delta)

  def encoded(self, image: jax.Array) -> jax.Array:
    """Features [D], not normalised, of one image, where the classifier has them."""
    return self.classifier.features(image[None])[0]

  def classified(self, features: jax.Array) -> jax.Array:
    """Logits [K] of features [D]."""
    return self.classifier.classify(features[None])[0]


def check(name: str, *, backward: str, compat: str = "clean", **least: tuple[float, float]) -> None:
  """Raises InputError for settings of the defence `name` that cannot be meant.

  Args:
    name: for messages.
    backward: one of `BACKWARDS`.
    compat: one of `COMPAT`.
    least: settings by name, each with the least value that it may have.
  """
  if backward not in BACKWARDS:
    raise errors.unknown(f"backward of {name}", backward, BACKWARDS)
  if compat not in COMPAT:
    raise errors.unknown(f"compat of {name}", compat, COMPAT)
  for setting, (value, minimum) in least.items():
    if not value >= minimum:
      raise errors.InputError(f"{name}: {setting}={value!r} must be at least {minimum}")


def require_features(name: str, classifier: Any) -> None:
  """Raises InputError for a classifier that is not an image encoder with a head."""
  if not (hasattr(classifier, "features") and hasattr(classifier, "classify")):
    raise errors.InputError(
      f"{name} works on the features of an image encoder, and needs a classifier with "
      "features(images) and classify(features), as a zero-shot one has; nothing but a transform "
      "may come before it"
    )


def with_gradient_of(smooth: jax.Array, value: jax.Array) -> jax.Array:
  """`value`, to the bit, with the derivatives of `smooth`; both are finite and of one shape."""
  return jax.lax.stop_gradient(value) + (smooth - jax.lax.stop_gradient(smooth))


def gate(margin: jax.Array) -> jax.Array:
  """In (0, 1): how far a gate is open, smoothly, that opens where `margin` is above 0."""
  return jax.nn.sigmoid(margin / _SOFTNESS)


def bounded(x: jax.Array, low: Any, high: Any) -> jax.Array:
  """`x` in [low, high], with its whole gradient at the ends too, where jnp.clip has half of it."""
  low, high = (jnp.broadcast_to(jnp.asarray(end, x.dtype), x.shape) for end in (low, high))
  return jnp.where(x < low, low, jnp.where(x > high, high, x))


def directed(slope: jax.Array) -> jax.Array:
  """A gradient at 2-norm 1; zero stays zero, and has derivatives that are finite."""
  square = jnp.sum(jnp.square(slope))
  return slope / jnp.sqrt(jnp.where(square > 0, square, 1.0))
