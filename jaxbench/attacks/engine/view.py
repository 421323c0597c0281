"""The classifier as an attack on one example sees it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import kept
from jaxbench.attacks.goals import Aimed
from jaxbench.attacks.parts import grid


@struct.dataclass
class View:
  """Called as the classifier is: images [B, H, W, 3] -> logits float32 [B, K].

  Of an `Aimed` one they are two: of the goal that is not reached, and of the goal that is.
  """

  classifier: Any
  clean: jax.Array  # [H, W, 3] float32: the example.
  label: jax.Array  # [] int32.
  handicap: jax.Array  # [] float32, for the label: what fools all the same is clear of rounding.
  mask: jax.Array | None  # [H, W, 3] bool: elsewhere it sees the example.
  quantize: grid.Quantize | None = struct.field(pytree_node=False)  # None: images of any value.

  @property
  def spacing(self) -> float:
    """Between two values of a pixel that the classifier can tell apart."""
    return grid.SPACING if self.quantize else 0.0

  def __call__(self, images: jax.Array, **key: jax.Array) -> jax.Array:
    """Logits of the images as they would be judged; gradients pass the rounding unchanged."""
    images = kept(images, self.clean[None], self.mask)
    shown = images
    if self.quantize:
      shown = jax.vmap(self.quantize, (None, 0))(self.clean, images)
    logits = self.classifier(_shown(images, shown), **key).astype(jnp.float32)
    if isinstance(self.classifier, Aimed):
      reached = self.classifier.excess(logits, self.label)
      reached = jnp.where(reached == jnp.inf, jnp.nan, reached)  # What is broken fools as ever.
      return jnp.stack([jnp.broadcast_to(self.handicap, reached.shape), reached], axis=-1)
    return logits + self.handicap * jax.nn.one_hot(self.label, logits.shape[-1])[None]


@jax.custom_vjp
def _shown(images: jax.Array, shown: jax.Array) -> jax.Array:
  """`shown`, with the gradient of `images` where that is a number: others would spoil the image."""
  return shown


def _forward(images: jax.Array, shown: jax.Array) -> tuple[jax.Array, None]:
  return shown, None


def _backward(_: None, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
  return jnp.where(jnp.isfinite(slope), slope, 0.0), jnp.zeros_like(slope)


_shown.defvjp(_forward, _backward)


def spacing(classifier: Any) -> float:
  """The step between values of a pixel that a classifier can tell apart; 0 if it can tell all."""
  return getattr(classifier, "spacing", 0.0)


@struct.dataclass
class Distinct:
  """A classifier of which each class stands once, where several are declared to be the same."""

  classifier: Any
  firsts: jax.Array  # [D] int32: of each distinct class, its first index.
  places: jax.Array  # [K] int32: of each class, its place among the distinct ones.

  def __call__(self, images: jax.Array, **key: jax.Array) -> jax.Array:
    """Logits [B, D]."""
    return self.classifier(images, **key)[:, self.firsts]


def distinct(classifier: Any) -> Any:
  """What attacks see: classes that the classifier declares the same, by `same_as`, are one.

  Nothing else is a tie: two logits may be equal and belong to two classes.
  """
  same_as = getattr(classifier, "same_as", None)
  if same_as is None:
    return classifier
  firsts, places = np.unique(np.asarray(same_as), return_inverse=True)
  return Distinct(
    classifier, jnp.asarray(firsts, jnp.int32), jnp.asarray(places.ravel(), jnp.int32)
  )


def searched(searcher: Any, labels: np.ndarray) -> np.ndarray:
  """Labels int32 [N] as a searcher counts classes."""
  return np.asarray(searcher.places)[labels] if isinstance(searcher, Distinct) else labels


def original(searcher: Any, classes: np.ndarray) -> np.ndarray:
  """Classes int32 [N] of a searcher as the classifier counts them; `verdict.NOTHING` stays."""
  if not isinstance(searcher, Distinct):
    return classes
  return np.where(classes < 0, classes, np.asarray(searcher.firsts)[classes])


def spread(searcher: Any, logits: np.ndarray) -> np.ndarray:
  """Logits [N, D] of a searcher as those [N, K] of the classifier."""
  return logits[:, np.asarray(searcher.places)] if isinstance(searcher, Distinct) else logits


def classes(searcher: Any, count: int) -> int:
  """How many of `count` classes a searcher tells apart."""
  return len(searcher.firsts) if isinstance(searcher, Distinct) else count


def searchers(classifier: Any, dtype: str) -> list[Any]:
  """What attacks search, one after another: the classifier computing in `dtype`, then in float32.

  Raises:
    InputError: the dtype is unknown, or the classifier cannot compute in it.
  """
  if dtype not in ("float32", "bfloat16"):
    raise errors.unknown("search_dtype", dtype, ("float32", "bfloat16"))
  if dtype == "float32":
    return [distinct(classifier)]
  if not hasattr(classifier, "compute_in"):
    raise errors.InputError(
      f"search_dtype={dtype!r} needs a classifier with a method compute_in(dtype)"
    )
  return [distinct(classifier.compute_in(dtype)), distinct(classifier)]
