"""Attacks from a notebook: arrays in, arrays out, any pytree callable as the classifier."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from tqdm.auto import tqdm

from jaxbench import callables, devices, errors, threefry
from jaxbench.attacks import arguments
from jaxbench.attacks.base import Attack, Averaged, Cascade, Classifier
from jaxbench.attacks.engine import batching, checks, outcome, verdict, view
from jaxbench.attacks.engine.doubt import Doubt
from jaxbench.attacks.engine.evaluations import Repeated
from jaxbench.attacks.goals import Aimed, Goal, Towards


@struct.dataclass
class Result:
  """Numpy arrays, one row per example; B rows."""

  # [B, H, W, 3] float32, inside the ball and [0, 1]: what fools, or the last thing that was tried.
  adversarial: np.ndarray
  logits: np.ndarray  # [B, K] float32, of `adversarial`.
  prediction: np.ndarray  # [B] int32, of `adversarial`; -1 where a logit is not finite.
  votes: np.ndarray | None  # [B, R] int32, of `adversarial`, where `evaluations` were asked for.
  success: np.ndarray  # [B] bool: the prediction is not the label, or the goal is reached.
  distance: np.ndarray  # [B] float32, from the clean image, in the attack's norm.
  stage: np.ndarray  # [B] int32: index of the attack that succeeded; -1 if none, or none needed.
  steps: np.ndarray  # [B] int32; 0 where the clean image is misclassified already.
  forwards: np.ndarray  # [B] int32, forward passes, judging included.
  backwards: np.ndarray  # [B] int32, backward passes.
  refuted: np.ndarray  # [B] int32, claims of the attack that did not hold when judged.
  warnings: tuple[Doubt, ...] = struct.field(pytree_node=False)  # Why to distrust it.
  occupancy: float = struct.field(pytree_node=False)  # Share of slot steps that did work.

  def __repr__(self) -> str:
    """The figures that matter, in two lines."""
    count, fooled = len(self.success), int(self.success.sum())
    share = f", accuracy {100 * (1 - fooled / count):.1f}%" if count else ""
    doubts = ", ".join(doubt.name for doubt in self.warnings) or "none"
    return (
      f"Result: {fooled} of {count} examples fooled{share}; "
      f"{self.forwards.sum():,} forward and {self.backwards.sum():,} backward passes\n"
      f"reasons for doubt: {doubts}"
    )


def run(
  attack: Attack | Cascade,
  classifier: Classifier,
  images: Any,
  labels: Any,
  epsilon: float | Any,
  key: jax.Array,
  *,
  surrogate: Classifier | None = None,
  slots: int | None = None,
  search_dtype: str = "float32",
  quantize: bool = False,
  evaluations: int = 0,
  mask: Any = None,
  start: Any = None,
  progress: bool = False,
  goal: Goal | None = None,
  targets: Any = None,
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
    slots: examples per device that are attacked at a time; the same programs serve any B. By
      default the fastest, see `seats.fastest`; the same number, the same bits.
    search_dtype: "bfloat16" searches in half precision, with a classifier that has a method
      `compute_in(dtype)` (all of `jaxbench.models`). Verdicts are in float32 whatever it is.
    quantize: attack images of 8 bits: what is classified and returned is rounded to multiples of
      1/255 so that it stays inside the ball. The images should be of 8 bits themselves.
    evaluations: of a randomised classifier, so many predictions of each image by keys that the
      attack has not drawn; the prediction is what most of them say, and an attack claims nothing:
      give it `keep_going=True`. 0 judges by the mean of the logits over the attack's own number of
      draws, always the same ones, or without a key if that is one.
    mask: booleans that broadcast to the images, true where pixels may change; the rest stays to the
      bit. A patch is a mask at epsilon 1 of "linf"; by default everything may change. Attacks that
      draw squares or pixels spend some of their queries where nothing may.
    start: images like `images`, at which first runs begin (pgd, apgd, the attacks with momentum):
      what another attack made, or the same one on another model; see `Result.adversarial`.
    progress: show a bar.
    goal: what is to be reached, of `attacks.beyond(...)` and its kin, in place of any other class:
      the attack then climbs its margin, `success` is that it is reached, and what has reached it
      without an attack is left as it is. Labels are then what the goal takes them for.
    targets: integers [B], a class for each image that is to be predicted, and not its label: a
      targeted attack, of which `success` is that it is. It has no other goal.

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
  with arguments.single_precision():
    checked = arguments.check(attack, classifier, images, labels, epsilon, key, slots, mask, start)
    if targets is not None:
      checked, goal = arguments.targeted(checked, targets, goal), Towards(None)
    if isinstance(evaluations, bool) or not isinstance(evaluations, int) or evaluations < 0:
      raise errors.InputError(f"evaluations must be a number of them, not {evaluations!r}")
    unclaimed = surrogate is not None or evaluations > 0
    settings = batching.Settings(checked.slots, quantize, surrogate=unclaimed)
    searched = checked.classifier if surrogate is None else callables.opened(surrogate)
    return search(checked, searched, settings, search_dtype, progress, evaluations, goal)


def search(
  checked: arguments.Arguments,
  searched: Any,
  settings: batching.Settings,
  search_dtype: str,
  progress: bool,
  evaluations: int = 0,
  goal: Goal | None = None,
) -> Result:
  """What `run` and `minimal_epsilon` share.

  Args:
    checked: what is attacked, and how.
    searched: the classifier that the attack sees: that of `checked`, or a surrogate.
    settings: of the engine.
    search_dtype: see `run`, as for `progress`, `evaluations` and `goal`.
  """
  stages, classifier, images, labels, epsilons, key, _, masks, starts = checked
  steady = devices.replicate(
    classifier if stages.draws == 1 else Averaged(classifier, stages.draws)
  )
  if goal is not None:
    if stages.draws > 1 or evaluations:
      raise errors.InputError("a goal is for classifiers that are not randomised")
    searched, settings = Aimed(searched, goal), settings._replace(aimed=True)
  views = view.searchers(searched, search_dtype)
  searchers = [devices.replicate(searcher) for searcher in views]
  searched_labels = view.searched(views[-1], labels)
  padded = np.arange(1 << (len(labels) - 1).bit_length())  # So that few programs serve any B.
  words = np.asarray(jax.random.key_data(_keys(key, padded)))[: len(labels), :2]
  first = logits = verdict.logits(steady, images, settings.slots)
  judge, prediction, votes = steady, verdict.predict(logits, np), None
  if evaluations:
    judge = devices.replicate(Repeated(classifier, evaluations, seed=0))
    logits, prediction, votes = verdict.asked(judge, images, words, settings.slots)
  warnings = (
    *checks.of_cascade(stages, logits.shape[-1] if goal is None else 2),
    *checks.of_classifier(steady, images, labels, settings.slots, first),
  )
  if goal is None:
    reached = prediction != labels
  else:
    judge = devices.replicate(Aimed(classifier, goal))
    excess = Aimed(None, goal).excess(jnp.asarray(logits), jnp.asarray(labels))
    reached = np.array(excess > 0)
  right = np.flatnonzero(~reached)
  ones, none = np.ones(len(labels), np.int32), np.zeros(len(labels), np.int32)
  result = Result(
    adversarial=images.copy(),
    logits=logits,
    prediction=prediction.copy(),
    votes=votes,
    success=reached,
    distance=np.zeros(len(labels), np.float32),
    stage=-ones,
    steps=none.copy(),
    forwards=ones,
    backwards=none.copy(),
    refuted=none.copy(),
    warnings=warnings,
    occupancy=1.0,
  )
  examples = batching.Examples(words, images, labels, searched_labels, epsilons, masks, starts)
  local = examples.some(right)
  tally = batching.Tally()
  with tqdm(total=len(labels), initial=len(labels) - len(right), disable=not progress) as bar:
    for harvest in batching.attack(stages, judge, searchers, local, settings, tally):
      rows = right[harvest.rows]
      for name in ("logits", "prediction", "distance", *(("votes",) if evaluations else ())):
        getattr(result, name)[rows] = harvest.fetch(name)
      result.adversarial[rows] = harvest.fetch("image")
      result.success[rows] = harvest.success
      result.stage[rows[harvest.success]] = harvest.stage
      for name, values in harvest.costs.items():
        getattr(result, name)[rows] = values
      bar.update(int(harvest.final.sum()))
  after = outcome.doubts(
    stages,
    result.stage,
    result.prediction,
    result.success,
    result.steps,
    result.refuted,
    bisected=settings.tolerance is not None,
  )
  return dataclasses.replace(result, warnings=(*warnings, *after), occupancy=tally.occupancy)


@jax.jit
def _keys(key: jax.Array, rows: jax.Array) -> jax.Array:
  return jax.vmap(functools.partial(jax.random.fold_in, threefry.quick(key)))(rows)
