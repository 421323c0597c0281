"""The smallest epsilon at which each example is fooled, and the whole curve of accuracy from it."""

import math
from typing import Any

import jax
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.attacks import arguments
from jaxbench.attacks.base import Attack, Cascade, Classifier
from jaxbench.attacks.engine import batching, next_run
from jaxbench.attacks.engine.doubt import Doubt
from jaxbench.attacks.goals import Goal
from jaxbench.attacks.run import search


@struct.dataclass
class Smallest:
  """Numpy arrays, one row per example; B rows. As an array, it is its `epsilon`."""

  # [B] float32: size of the smallest perturbation that was found and verified, so an upper bound,
  # never above `upper`; 0 where the clean image is misclassified, infinite where nothing fools.
  epsilon: np.ndarray
  adversarial: np.ndarray  # [B, H, W, 3] float32: of that size, or the clean image.
  prediction: np.ndarray  # [B] int32, of `adversarial`; -1 where a logit is not finite.
  steps: np.ndarray  # [B] int32, of all probes together.
  forwards: np.ndarray  # [B] int32.
  backwards: np.ndarray  # [B] int32.
  refuted: np.ndarray  # [B] int32, claims of the attack that did not hold when judged.
  warnings: tuple[Doubt, ...] = struct.field(pytree_node=False)
  occupancy: float = struct.field(pytree_node=False)  # Share of slot steps that did work.

  def accuracy(self, epsilons: Any) -> np.ndarray:
    """Accuracy under attack at each of `epsilons`: the share of examples that need more."""
    return (self.epsilon > np.asarray(epsilons, np.float32)[..., None]).mean(axis=-1)

  def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """`epsilon`, so that `np.median(smallest)` is the median of the smallest epsilons."""
    return np.array(self.epsilon, dtype) if copy else np.asarray(self.epsilon, dtype)


def most_probes(attack: Attack, upper: float, tolerance: float) -> int:
  """How often a bisection from `upper` down runs the attack, at the most."""
  if attack.minimizes or upper <= tolerance:
    return 1
  widest = next_run.NEXT_PROBE  # What a success leaves of the bracket; a failure leaves less.
  bisection = math.ceil(math.log(tolerance / upper) / math.log(widest))
  return 1 + bisection * (1 if attack.monotone else 2)  # The first one goes down till it fools.


def minimal_epsilon(
  attack: Attack,
  classifier: Classifier,
  images: Any,
  labels: Any,
  upper: float,
  tolerance: float = 1 / 2550,
  *,
  key: jax.Array,
  slots: int | None = None,
  search_dtype: str = "float32",
  quantize: bool = False,
  mask: Any = None,
  progress: bool = False,
  goal: Goal | None = None,
) -> Smallest:
  """Bisects the epsilon of each example by itself, in the slots of `run`.

  A probe that fools lowers the upper bound to the size of what it found; one that fails raises the
  lower bound. An attack may fail at an epsilon and succeed at a smaller one (a coarser step, an
  unlucky start): nothing found is ever given up for it, and the result is always the size of a real
  adversarial image. One that overshoots (FGSM) and fails at `upper` is tried at smaller ones until
  it succeeds. Attacks that look for the smallest perturbation themselves, such as
  `fab(keep_going=True)`, run once.

  Args:
    attack: one attack, no cascade.
    classifier: as for `run`.
    images: float32 [B, H, W, 3] in [0, 1].
    labels: integers [B].
    upper: the largest epsilon, tried first; one for all or [B].
    tolerance: probing stops when the bounds are as near as this; in pixel units, > 0.
    key: of `jax.random.key`.
    slots: as for `run`.
    search_dtype: as for `run`.
    quantize: as for `run`.
    mask: as for `run`.
    progress: show a bar.
    goal: as for `run`.

  Raises:
    InputError: an argument has the wrong shape, type or range.

  Example:
    >>> smallest = attacks.minimal_epsilon(
    ...   attacks.apgd(), classifier, images, labels, upper=8 / 255, key=jax.random.key(0)
    ... )
    >>> np.median(smallest), smallest.accuracy([1 / 255, 2 / 255, 4 / 255])
  """
  if isinstance(attack, Cascade):
    raise errors.InputError("minimal_epsilon takes one attack, not a cascade: name one of its own")
  if not 0 < tolerance < math.inf:
    raise errors.InputError(f"tolerance must be a number > 0, not {tolerance}")
  with arguments.single_precision():
    checked = arguments.check(attack, classifier, images, labels, upper, key, slots, mask)
    settings = batching.Settings(checked.slots, quantize, float(tolerance))
    result = search(checked, checked.classifier, settings, search_dtype, progress, goal=goal)
  return Smallest(
    epsilon=np.where(result.success, result.distance, np.inf).astype(np.float32),
    adversarial=result.adversarial,
    prediction=result.prediction,
    steps=result.steps,
    forwards=result.forwards,
    backwards=result.backwards,
    refuted=result.refuted,
    warnings=result.warnings,
    occupancy=result.occupancy,
  )
