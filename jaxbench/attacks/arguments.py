"""The door: what people pass to attacks, checked and made into 32-bit arrays and a pytree."""

import contextlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import callables, errors, seats
from jaxbench.attacks.base import Attack, Cascade, cascade


class Arguments(NamedTuple):
  """The arguments of a run, checked."""

  cascade: Cascade
  classifier: Any  # A pytree callable.
  images: np.ndarray  # [B, H, W, 3] float32.
  labels: np.ndarray  # [B] int32.
  epsilons: np.ndarray  # [B] float32.
  key: jax.Array
  slots: int  # Per device.
  masks: np.ndarray | None  # [B, H, W, 3] bool.
  starts: np.ndarray | None  # [B, H, W, 3] float32.


def single_precision() -> contextlib.AbstractContextManager[None]:
  """Everything here is computed in 32 bits, whatever `jax_enable_x64` says."""
  if hasattr(jax, "enable_x64"):
    return jax.enable_x64(False)
  return jax.experimental.disable_x64()  # type: ignore[attr-defined]


def check(
  attack: Attack | Cascade,
  classifier: Any,
  images: Any,
  labels: Any,
  epsilon: Any,
  key: Any,
  slots: int | None,
  mask: Any = None,
  start: Any = None,
) -> Arguments:
  """The arguments, as they are used; InputError names the first that is wrong."""
  images = np.asarray(images)
  if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.float32 or not len(images):
    raise errors.InputError(
      f"images must be float32 [B, H, W, 3] with B >= 1, not {images.dtype} {list(images.shape)}"
    )
  if not (images.min() >= 0 and images.max() <= 1):
    raise errors.InputError(
      f"images must be in [0, 1], not [{images.min():g}, {images.max():g}]; "
      "normalisation belongs inside the classifier"
    )
  stages, classifier = cascade(attack), callables.opened(classifier)
  classes = _classes(stages, classifier, images)
  known = _of_classes("labels", labels, len(images), classes)
  epsilons = np.asarray(epsilon, np.float32)
  fits = epsilons.ndim == 0 or epsilons.shape == images.shape[:1]
  if not fits or not (epsilons >= 0).all():
    raise errors.InputError(
      f"epsilon must be one number >= 0, or one for each image, not {str(epsilon)[:60]}"
    )
  if slots is None:
    slots = seats.fastest(jax.tree.leaves(classifier), len(images))
  if isinstance(slots, bool) or not isinstance(slots, (int, np.integer)) or slots < 1:
    raise errors.InputError(f"slots must be a whole number of examples, at least 1, not {slots!r}")
  return Arguments(
    stages,
    classifier,
    images,
    known,
    np.broadcast_to(epsilons, len(images)),
    _key(key),
    int(slots),
    _masks(mask, images.shape),
    _starts(start, images.shape, stages),
  )


def targeted(checked: Arguments, targets: Any, goal: Any) -> Arguments:
  """With targets [B] in the place of labels; InputError if they cannot be meant."""
  if goal is not None:
    raise errors.InputError("targets are a goal: give the one or the other")
  classes = _classes(checked.cascade, checked.classifier, checked.images)
  wanted = _of_classes("targets", targets, len(checked.labels), classes)
  if (same := wanted == checked.labels).any():
    row = int(np.argmax(same))
    raise errors.InputError(f"the target of image {row} is its label, {wanted[row]}")
  return checked._replace(labels=wanted)


def _of_classes(what: str, values: Any, count: int, classes: int) -> np.ndarray:
  """int32 [B]: labels, or targets."""
  array = np.asarray(values)
  integer = np.issubdtype(array.dtype, np.integer)
  if not integer or array.shape != (count,) or array.min() < 0 or array.max() >= classes:
    raise errors.InputError(f"{what} must be {count} integers in 0..{classes - 1}")
  return array.astype(np.int32)


def _masks(mask: Any, shape: tuple[int, ...]) -> np.ndarray | None:
  """For each image its own, as a view of what was given."""
  if mask is None:
    return None
  array = np.asarray(mask)
  if array.dtype != np.bool_:
    raise errors.InputError(
      f"mask must be of booleans, true where pixels may change, not {array.dtype}"
    )
  try:
    return np.broadcast_to(array, shape)
  except ValueError as error:
    raise errors.InputError(
      f"mask {list(array.shape)} does not fit images {list(shape)}; one for all is [H, W, 1]"
    ) from error


def _starts(start: Any, shape: tuple[int, ...], stages: Cascade) -> np.ndarray | None:
  """The images that attacks begin at; those outside the ball are moved into it."""
  if start is None:
    return None
  array = np.asarray(start)
  if array.shape != shape or array.dtype != np.float32 or not ((array >= 0) & (array <= 1)).all():
    raise errors.InputError(
      f"start must be images float32 {list(shape)} in [0, 1], as `images` are"
    )
  for name, attack in zip(stages.names, stages.attacks, strict=True):
    if not attack.starts:
      raise errors.InputError(f"start: {name} begins where it does, at no image that is given")
  return array


def _classes(stages: Cascade, classifier: Any, images: np.ndarray) -> int:
  """How many logits the classifier has; InputError if it has none."""
  image = jax.ShapeDtypeStruct((1, *images.shape[1:]), np.float32)
  logits: Any = jax.eval_shape(
    _called if stages.draws == 1 else _called_with_key, classifier, image
  )
  is_array = isinstance(logits, jax.ShapeDtypeStruct)
  floating = is_array and jnp.issubdtype(logits.dtype, jnp.floating)
  if floating and logits.ndim == 2 and len(logits) == 1 < logits.shape[1]:
    return logits.shape[1]
  got = f"{logits.dtype} {list(logits.shape)}" if is_array else f"a {type(logits).__name__}"
  raise errors.InputError(
    f"the classifier must map images [B, H, W, 3] to floating-point logits [B, K], not to {got}; "
    "wrap it in a function that returns the logits alone"
  )


def _called(classifier: Any, images: jax.Array) -> Any:
  return classifier(images)


def _called_with_key(classifier: Any, images: jax.Array) -> Any:
  return classifier(images, key=jax.random.key(0))


def _key(key: Any) -> jax.Array:
  """A typed key of a typed one, of one of the older kind, or of an integer."""
  if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
    return jax.random.key(int(key))
  array: Any = key if isinstance(key, jax.Array) else np.asarray(key)
  if jnp.issubdtype(array.dtype, jax.dtypes.prng_key) and array.shape == ():
    return array
  if array.dtype == np.uint32 and array.shape == (2,):
    return jax.random.wrap_key_data(jnp.asarray(array))
  if jnp.issubdtype(array.dtype, np.integer) and array.shape == ():
    return jax.random.key(int(array))
  raise errors.InputError(
    f"key must be of jax.random.key(seed), or an integer, not {array.dtype} {list(array.shape)}"
  )
