"""What APGD's variants climb: a loss, its targets and its average over a randomised classifier."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbench import errors
from jaxbench.attacks.base import Attack, Classifier, InitFn, logits_of
from jaxbench.attacks.parts import embedding_loss, losses
from jaxbench.attacks.parts.norms import Norm

NO_TARGET = -1
_TARGETED: dict[str, Any] = {
  "cross_entropy": lambda logits, label, target: -losses.cross_entropy(logits, target),
  "margin": lambda logits, label, target: logits[target] - logits[label],
  "dlr": losses.targeted_dlr,
}


class View(NamedTuple):
  """What one forward and backward pass shows."""

  value: jax.Array  # [] float32: the loss.
  gradient: jax.Array  # [H, W, 3] float32.
  fooled: jax.Array  # [] bool.
  target: jax.Array  # [] int32: the class aimed at; NO_TARGET if there are not so many classes.


class Climb(NamedTuple):
  """A loss of one example."""

  loss: str | losses.Loss
  targets: int  # 0, or how many runs aim at another class each.
  restarts: int  # For each target.
  draws: int  # Above 1, the classifier takes a key and is averaged over so many.

  @property
  def targeted(self) -> bool:
    """Whether the first look is at the clean image, to rank the targets."""
    return self.targets > 0

  @property
  def classes(self) -> int:
    """With fewer, the loss has a substitute."""
    return 2 if self.loss != "dlr" else 4 if self.targeted else 3

  def look(
    self,
    classifier: Any,
    clean: jax.Array,
    image: jax.Array,
    label: jax.Array,
    target: jax.Array,
    rank: jax.Array,
    choose: jax.Array,
    key: jax.Array,
  ) -> View:
    """One pass forward and backward at `image` [H, W, 3], whose origin is `clean`.

    A targeted loss aims at class `target` or, where `choose`, at the one whose logit is number
    `rank` (0 is the largest) of the classes other than the label.
    """
    value_of = embedding_loss.bind(self.loss, classifier, clean)

    def objective(image: jax.Array, key: jax.Array | None) -> tuple[jax.Array, Any]:
      logits = logits_of(classifier, image, key)
      if not self.targeted:
        return value_of(logits, label), (logits, target)
      others = losses.other_classes(jax.lax.stop_gradient(logits), label)
      ranked = jnp.where(rank < len(others), others[jnp.minimum(rank, len(others) - 1)], NO_TARGET)
      aim = jnp.where(choose, ranked, target)
      return _TARGETED[str(self.loss)](logits, label, jnp.maximum(aim, 0)), (logits, aim)

    look = jax.value_and_grad(objective, has_aux=True)
    if self.draws == 1:
      (value, (logits, aim)), gradient = look(image, None)
      return View(value, gradient, embedding_loss.fooled(self.loss, logits, label), aim)
    # One after another: many draws at once would not fit.
    seen = jax.lax.map(lambda key: look(image, key), jax.random.split(key, self.draws))
    (values, (logits, aims)), gradients = seen
    fooled = losses.fooled(logits.mean(axis=0), label)
    return View(values.mean(), gradients.mean(axis=0), fooled, aims[0])


def make(attack: str, loss: str | losses.Loss, targets: int, restarts: int, draws: int) -> Climb:
  """A checked Climb.

  Raises:
    InputError: the loss is unknown or has no targeted form, or a number is out of range.
  """
  embedding_loss.check(attack, loss, usable=targets == 0 and draws == 1)
  if targets and loss not in _TARGETED:
    raise errors.InputError(f"{attack}: a targeted loss is one of {', '.join(_TARGETED)}")
  if targets < 0 or restarts < 1 or draws < 1:
    raise errors.InputError(
      f"{attack} needs targets >= 0, restarts and draws >= 1, not {targets}, {restarts}, {draws}"
    )
  return Climb(loss, targets, restarts, draws)


def attack(
  hill: Climb,
  ball: Norm,
  init: InitFn,
  ascend: Callable[[Any, View, jax.Array], Any],
  looks: int,
  place: str,
  keep_going: bool,
) -> Attack:
  """An attack that looks, then moves.

  Args:
    hill: what it climbs.
    ball: its norm.
    init: gives a state with `key`, `clean`, `label`, `target`, `rank`, `best` and `count`; for a
      targeted hill it is at the clean image, and `best` is where the search is to start.
    ascend: (state, view, number of the look) -> the state after a move.
    looks: in one run, the one that ranks the targets not counted.
    place: name of the state's field that holds where it looks.
    keep_going: whether it returns the strongest image of all runs.
  """
  ranking = int(hill.targeted)

  def step(classifier: Classifier, state: Any) -> Any:
    begin = state.count == 0
    key = jax.random.fold_in(state.key, state.count)
    image, label = getattr(state, place), state.label
    view = hill.look(classifier, state.clean, image, label, state.target, state.rank, begin, key)
    moved = ascend(state, view, state.count - ranking)
    moved = dataclasses.replace(moved, count=state.count + 1)
    if not ranking:
      return moved
    start = {place: state.best, "target": view.target, "count": state.count + 1}
    ranked = dataclasses.replace(state, **start, done=view.target == NO_TARGET)
    return jax.tree.map(lambda x, y: jnp.where(begin, x, y), ranked, moved)

  return Attack(
    init,
    step,
    ball,
    looks + ranking,
    forwards=hill.draws + embedding_loss.looks(hill.loss),
    backwards=hill.draws,
    runs=max(hill.targets, 1) * hill.restarts,
    keep_going=keep_going,
    draws=hill.draws,
    targets=hill.targets,
    classes=hill.classes,
  )
