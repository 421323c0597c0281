"""Attacks from a notebook: arrays in, arrays out, any pytree callable as the classifier."""

import contextlib
import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from tqdm.auto import tqdm

from jaxbench import devices, errors
from jaxbench.attacks import checks, engine, verdict, view
from jaxbench.attacks.base import Attack, Averaged, Cascade, Classifier, cascade


@struct.dataclass
class Result:
  """Numpy arrays, one row per example; B rows."""

  # [B, H, W, 3] float32, inside the ball and [0, 1]: what fools, or the last thing that was tried.
  adversarial: np.ndarray
  logits: np.ndarray  # [B, K] float32, of `adversarial`.
  prediction: np.ndarray  # [B] int32, of `adversarial`; -1 where a logit is not finite.
  success: np.ndarray  # [B] bool: the prediction is not the label.
  distance: np.ndarray  # [B] float32, from the clean image, in the attack's norm.
  stage: np.ndarray  # [B] int32: index of the attack that succeeded; -1 if none, or none needed.
  steps: np.ndarray  # [B] int32; 0 where the clean image is misclassified already.
  forwards: np.ndarray  # [B] int32, forward passes, judging included.
  backwards: np.ndarray  # [B] int32, backward passes.
  refuted: np.ndarray  # [B] int32, claims of the attack that did not hold when judged.
  warnings: tuple[checks.Doubt, ...] = struct.field(pytree_node=False)  # Why to distrust it.
  occupancy: float = struct.field(pytree_node=False)  # Share of slot steps that did work.


def run(
  attack: Attack | Cascade,
  classifier: Classifier,
  images: Any,
  labels: Any,
  epsilon: float | Any,
  key: jax.Array,
  *,
  surrogate: Classifier | None = None,
  slots: int = 64,
  search_dtype: str = "float32",
  quantize: bool = False,
  progress: bool = False,
) -> Result:
  """Attacks any callable on all devices of this host.

  An example that is misclassified without an attack, or whose logits are not finite, is left as it
  is and counts as success at distance 0. Success is what a float32 forward pass on the returned
  image says: `success == (prediction != labels)`.

  Args:
    attack: from `attacks.pgd(...)` and its kin.
    classifier: maps images to logits [B, K] of any float type: a `flax.nnx` module,
      `jax.tree_util.Partial(function, params)` or another pytree; a plain function is compiled anew
      in every run. It does its own normalisation. Classes that it declares the same, by `same_as`
      (int32 [K], the first index of each class), are one to the attack.
    images: float32 [B, H, W, 3] in [0, 1].
    labels: integers [B] in 0..K-1.
    epsilon: radius in [0, 1] pixel units (4/255), one for all or [B].
    key: of `jax.random.key`, or an integer to make one of; each example draws from it by its row.
    surrogate: what the attack sees in place of the classifier, which then only judges: the same
      model with other prompts, another model or, with the loss "distance", an image encoder
      (`clip.visual`). Attacks with `keep_going` do not stop where the surrogate is fooled.
    slots: examples per device that are attacked at a time; the same programs serve any B.
    search_dtype: "bfloat16" searches in half precision, with a classifier that has a method
      `compute_in(dtype)` (all of `jaxbench.models`). Verdicts are in float32 whatever it is.
    quantize: attack images of 8 bits: what is classified and returned is rounded to multiples of
      1/255 so that it stays inside the ball. The images should be of 8 bits themselves.
    progress: show a bar.

  Returns:
    Result.

  Raises:
    InputError: an argument has the wrong shape, type or range.

  Example:
    >>> result = attacks.run(
    ...   attacks.pgd(steps=40), classifier, images, labels, epsilon=4 / 255, key=jax.random.key(0)
    ... )
    >>> result.success.mean()
  """
  with single_precision():
    asked = checked(attack, classifier, images, labels, epsilon, key, slots)
    settings = engine.Settings(slots, quantize, own=surrogate is None)
    known = asked.classifier if surrogate is None else view.opened(surrogate)
    return search(asked, known, settings, search_dtype, progress)


class Asked(NamedTuple):
  """The arguments of a run, checked."""

  cascade: Cascade
  classifier: Any  # A pytree callable.
  images: np.ndarray  # [B, H, W, 3] float32.
  labels: np.ndarray  # [B] int32.
  epsilons: np.ndarray  # [B] float32.
  key: jax.Array


def single_precision() -> contextlib.AbstractContextManager[None]:
  """Everything here is computed in 32 bits, whatever `jax_enable_x64` says."""
  if hasattr(jax, "enable_x64"):
    return jax.enable_x64(False)
  return jax.experimental.disable_x64()


def search(
  asked: Asked, known: Any, settings: engine.Settings, search_dtype: str, progress: bool
) -> Result:
  """What `run` and `minimal_epsilon` share; `known` is what the attack sees of the classifier."""
  stages, classifier, images, labels, epsilons, key = asked
  judge = devices.replicate(
    classifier if stages.draws == 1 else Averaged(classifier, stages.draws)
  )
  climbed = view.searchers(known, search_dtype)
  searchers = [devices.replicate(one) for one in climbed]
  searched = view.searched(climbed[-1], labels)
  logits = verdict.logits(judge, images, settings.slots)
  prediction = verdict.predict(logits, np)
  steady = judge if stages.draws > 1 else searchers[-1]
  warnings = checks.before(
    stages, judge, steady, images, labels, searched, logits, settings.slots
  )
  right = np.flatnonzero(prediction == labels)
  ones, none = np.ones(len(labels), np.int32), np.zeros(len(labels), np.int32)
  result = Result(
    adversarial=images.copy(),
    logits=logits,
    prediction=prediction.copy(),
    success=prediction != labels,
    distance=np.zeros(len(labels), np.float32),
    stage=-ones,
    steps=none.copy(),
    forwards=ones,
    backwards=none.copy(),
    refuted=none.copy(),
    warnings=warnings,
    occupancy=1.0,
  )
  padded = np.arange(1 << (len(labels) - 1).bit_length())  # So that few programs serve any B.
  words = np.asarray(jax.random.key_data(_keys(key, padded)))[: len(labels), :2]
  examples = engine.Examples(words, images, labels, searched, epsilons)
  local = engine.Examples(*(array[right] for array in examples))
  tally = engine.Tally()
  with tqdm(total=len(labels), initial=len(labels) - len(right), disable=not progress) as bar:
    for found in engine.attack(stages, judge, searchers, local, settings, tally):
      rows = right[found.rows]
      for name in ("logits", "prediction", "distance"):
        getattr(result, name)[rows] = found.fetch(name)
      result.adversarial[rows] = found.fetch("image")
      result.success[rows] = found.success
      result.stage[rows[found.success]] = found.stage
      for name, values in found.costs.items():
        getattr(result, name)[rows] = values
      bar.update(int(found.final.sum()))
  after = checks.after(
    stages,
    result.stage,
    result.prediction,
    labels,
    result.steps,
    result.refuted,
    bisected=settings.tolerance is not None,
  )
  return dataclasses.replace(result, warnings=(*warnings, *after), occupancy=tally.occupancy)


@jax.jit
def _keys(key: jax.Array, rows: jax.Array) -> jax.Array:
  return jax.vmap(functools.partial(jax.random.fold_in, key))(rows)


def checked(
  attack: Attack | Cascade,
  classifier: Any,
  images: Any,
  labels: Any,
  epsilon: Any,
  key: Any,
  slots: int,
) -> Asked:
  """The arguments, as they are used; InputError names the first that is wrong."""
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
  stages, classifier = cascade(attack), view.opened(classifier)
  classes = _classes(stages, classifier, images)
  integer = np.issubdtype(labels.dtype, np.integer)
  if not integer or labels.shape != images.shape[:1] or labels.min() < 0 or labels.max() >= classes:
    raise errors.InputError(f"labels must be {len(images)} integers in 0..{classes - 1}")
  epsilons = np.asarray(epsilon, np.float32)
  fits = epsilons.ndim == 0 or epsilons.shape == images.shape[:1]
  if not fits or not (epsilons >= 0).all():
    raise errors.InputError(
      f"epsilon must be one number >= 0, or one for each image, not {str(epsilon)[:60]}"
    )
  if isinstance(slots, bool) or not isinstance(slots, (int, np.integer)) or slots < 1:
    raise errors.InputError(f"slots must be a whole number of examples, at least 1, not {slots!r}")
  return Asked(
    stages,
    classifier,
    images,
    labels.astype(np.int32),
    np.broadcast_to(epsilons, len(images)),
    _key(key),
  )


def _classes(stages: Cascade, classifier: Any, images: np.ndarray) -> int:
  """How many logits the classifier has; InputError if it has none."""
  image = jax.ShapeDtypeStruct((1, *images.shape[1:]), np.float32)
  logits = jax.eval_shape(_called if stages.draws == 1 else _called_with_key, classifier, image)
  shape, dtype = getattr(logits, "shape", ()), getattr(logits, "dtype", None)
  if len(shape) != 2 or shape[0] != 1 or shape[1] < 2 or not jnp.issubdtype(dtype, jnp.floating):
    said = f"{dtype} {list(shape)}" if dtype is not None else f"a {type(logits).__name__}"
    raise errors.InputError(
      f"the classifier must map images [B, H, W, 3] to floating-point logits [B, K], not to {said}; "
      "wrap it in a function that returns the logits alone"
    )
  return shape[1]


def _called(classifier: Any, images: jax.Array) -> Any:
  return classifier(images)


def _called_with_key(classifier: Any, images: jax.Array) -> Any:
  return classifier(images, key=jax.random.key(0))


def _key(key: Any) -> jax.Array:
  """A typed key of a typed one, of one of the older kind, or of an integer."""
  if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
    return jax.random.key(int(key))
  array = key if isinstance(key, jax.Array) else np.asarray(key)
  if jnp.issubdtype(array.dtype, jax.dtypes.prng_key) and array.shape == ():
    return array
  if array.dtype == np.uint32 and array.shape == (2,):
    return jax.random.wrap_key_data(jnp.asarray(array))
  if jnp.issubdtype(array.dtype, np.integer) and array.shape == ():
    return jax.random.key(int(array))
  raise errors.InputError(
    f"key must be of jax.random.key(seed), or an integer, not {array.dtype} {list(array.shape)}"
  )
