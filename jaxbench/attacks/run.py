"""Attacks from a notebook: arrays in, arrays out, any pytree callable as the classifier."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from tqdm.auto import tqdm

from jaxbench import devices, errors
from jaxbench.attacks import checks, engine, verdict
from jaxbench.attacks.base import Attack, Averaged, Cascade, Classifier, cascade


@struct.dataclass
class Result:
  """Numpy arrays, one row per example; B rows."""

  adversarial: np.ndarray  # [B, H, W, 3] float32: what fools, or the last thing that was tried.
  logits: np.ndarray  # [B, K] float32, of `adversarial`.
  prediction: np.ndarray  # [B] int32, of `adversarial`.
  success: np.ndarray  # [B] bool: `adversarial` is misclassified, inside the ball and [0, 1].
  distance: np.ndarray  # [B] float32, from the clean image, in the attack's norm.
  stage: np.ndarray  # [B] int32: index of the attack that succeeded; -1 if none, or none needed.
  steps: np.ndarray  # [B] int32; 0 where the clean image is misclassified already.
  forwards: np.ndarray  # [B] int32, forward passes, judging included.
  backwards: np.ndarray  # [B] int32, backward passes.
  warnings: tuple[checks.Warning, ...] = struct.field(pytree_node=False)  # Why to distrust it.
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
  """Attacks any pytree callable on all devices of this host.

  An example that is misclassified without an attack is left as it is and counts as success at
  distance 0.

  Args:
    attack: from `attacks.pgd(...)` and its kin.
    classifier: a pytree that maps images to logits [B, K]: a `flax.nnx` module, or
      `jax.tree_util.Partial(function, params)`. It does its own normalisation.
    images: float32 [B, H, W, 3] in [0, 1].
    labels: integers [B] in 0..K-1.
    epsilon: radius in [0, 1] pixel units (4/255), one for all or [B].
    key: of `jax.random.key`; each example draws from it by its row.
    surrogate: what the attack sees in place of the classifier, which then only judges: the same
      model with other prompts, another model or, with the loss "distance", an image encoder
      (`clip.visual`). Attacks with `keep_going` do not stop where the surrogate is fooled.
    slots: examples per device that are attacked at a time; the same programs serve any B.
    search_dtype: "bfloat16" searches in half precision, with a classifier that has a method
      `compute_in(dtype)` (all of `jaxbench.models`). Verdicts are in float32 whatever it is.
    quantize: attack images of 8 bits: what is classified and returned is rounded to multiples of
      1/255, and has to be inside the ball then.
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
  images, labels, epsilons = checked(attack, classifier, images, labels, epsilon)
  settings = engine.Settings(slots, quantize, exact=search_dtype == "float32")
  known = classifier if surrogate is None else surrogate
  return search(
    attack, classifier, known, images, labels, epsilons, key, settings, search_dtype, progress
  )


def search(
  attack: Attack | Cascade,
  classifier: Classifier,
  known: Classifier,
  images: np.ndarray,
  labels: np.ndarray,
  epsilons: np.ndarray,
  key: jax.Array,
  settings: engine.Settings,
  search_dtype: str,
  progress: bool,
) -> Result:
  """What `run` and `minimal_epsilon` share; `known` is what the attack sees of the classifier."""
  stages = cascade(attack)
  steady = classifier if stages.draws == 1 else Averaged(classifier, stages.draws)
  judge = devices.replicate(steady)
  same = known is classifier and search_dtype == "float32" and stages.draws == 1
  searcher = judge if same else devices.replicate(_in(known, search_dtype))
  logits = verdict.logits(judge, images, settings.slots)
  prediction = logits.argmax(axis=-1).astype(np.int32)
  warnings = checks.before(stages, judge, images, labels, logits, settings.slots)
  right = np.flatnonzero((prediction == labels) & np.isfinite(logits).all(axis=-1))
  ones, none = np.ones(len(labels), np.int32), np.zeros(len(labels), np.int32)
  result = Result(
    adversarial=images.copy(),
    logits=logits,
    prediction=prediction,
    success=(prediction != labels) & np.isfinite(logits).all(axis=-1),
    distance=np.zeros(len(labels), np.float32),
    stage=-ones,
    steps=none.copy(),
    forwards=ones,
    backwards=none.copy(),
    warnings=warnings,
    occupancy=1.0,
  )
  padded = np.arange(1 << (len(labels) - 1).bit_length())  # So that few programs serve any B.
  words = np.asarray(jax.random.key_data(_keys(key, padded)))[: len(labels), :2]
  examples = engine.Examples(words, images, labels, epsilons)
  local = engine.Examples(*(array[right] for array in examples))
  tally = engine.Tally()
  with tqdm(total=len(labels), initial=len(labels) - len(right), disable=not progress) as bar:
    for found in engine.attack(stages, judge, searcher, local, settings, tally):
      rows = right[found.rows]
      for name in ("logits", "prediction", "success", "distance"):
        getattr(result, name)[rows] = found.fetch(name)
      result.adversarial[rows] = found.fetch("image")
      result.stage[rows[found.success]] = found.stage
      for name, values in found.costs.items():
        getattr(result, name)[rows] = values
      bar.update(int(found.final.sum()))
  after = checks.after(stages, result.stage, len(labels))
  return dataclasses.replace(result, warnings=(*warnings, *after), occupancy=tally.occupancy)


@jax.jit
def _keys(key: jax.Array, rows: jax.Array) -> jax.Array:
  return jax.vmap(functools.partial(jax.random.fold_in, key))(rows)


def _in(classifier: Classifier, dtype: str) -> Classifier:
  """The classifier, computing in `dtype`."""
  if dtype not in ("float32", "bfloat16"):
    raise errors.unknown("search_dtype", dtype, ("float32", "bfloat16"))
  if dtype == "float32":
    return classifier
  if not hasattr(classifier, "compute_in"):
    raise errors.InputError(
      f"search_dtype={dtype!r} needs a classifier with a method compute_in(dtype)"
    )
  return classifier.compute_in(dtype)


def checked(
  attack: Attack | Cascade, classifier: Classifier, images: Any, labels: Any, epsilon: Any
) -> tuple[Any, ...]:
  """Images, labels and epsilons as arrays; InputError names the first that is wrong."""
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
  random = {"key": jax.random.key(0)} if cascade(attack).draws > 1 else {}
  logits = jax.eval_shape(lambda c, x: c(x, **random), classifier, jnp.asarray(images[:1]))
  if logits.ndim != 2 or len(logits) != 1 or logits.shape[1] < 2:
    raise errors.InputError(
      f"the classifier must map images [B, H, W, 3] to logits [B, K], not to {list(logits.shape)}"
    )
  classes = logits.shape[-1]
  integer = np.issubdtype(labels.dtype, np.integer)
  if not integer or labels.shape != images.shape[:1] or labels.min() < 0 or labels.max() >= classes:
    raise errors.InputError(f"labels must be {len(images)} integers in 0..{classes - 1}")
  epsilons = np.asarray(epsilon, np.float32)
  if epsilons.ndim > 1 or (epsilons.ndim and len(epsilons) != len(images)) or epsilons.min() < 0:
    raise errors.InputError("epsilon must be one number >= 0, or one for each image")
  return images, labels.astype(np.int32), np.broadcast_to(epsilons, len(images))
