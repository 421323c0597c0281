"""What APGD's variants ascend: a loss, its targets, its average over a randomised classifier."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbench import errors
from jaxbench.attacks.base import Attack, Classifier, Example, InitFn, Progress, logits_of
from jaxbench.attacks.parts import embedding_loss, losses
from jaxbench.attacks.parts.norms import Norm

NO_TARGET = -1
_TARGETED: dict[str, Any] = {
  "cross_entropy": lambda logits, label, target: -losses.cross_entropy(logits, target),
  "margin": lambda logits, label, target: logits[target] - logits[label],
  "dlr": losses.targeted_dlr,
}


class Evaluation(NamedTuple):
  """What one forward and backward pass shows."""

  value: jax.Array  # [] float32: the loss.
  gradient: jax.Array  # [H, W, 3] float32.
  fooled: jax.Array  # [] bool.
  target: jax.Array  # [] int32: the class aimed at; NO_TARGET if there are not so many classes.


class Objective(NamedTuple):
  """What is maximised on each example."""

  loss: str | losses.Loss
  targets: int  # 0, or how many runs aim at another class each.
  restarts: int  # For each target.
  draws: int  # Above 1, the classifier takes a key and is averaged over so many.

  @property
  def targeted(self) -> bool:
    """Whether the first evaluation is at the clean image, to rank the targets."""
    return self.targets > 0

  @property
  def classes(self) -> int:
    """With fewer, the loss has a substitute."""
    return 2 if self.loss != "dlr" else 4 if self.targeted else 3

  def evaluate(
    self,
    classifier: Any,
    example: Example,
    image: jax.Array,
    target: jax.Array,
    rank: jax.Array,
    choose: jax.Array,
  ) -> Evaluation:
    """The loss and its gradient at an image, by one pass forward and backward for each draw.

    A targeted loss aims at class `target` or, where `choose`, at the one whose logit is number
    `rank` (0 is the largest) of the classes other than the label.

    Args:
      classifier: maps images to logits.
      example: where the image comes from; its key is for this evaluation alone.
      image: [H, W, 3] float32.
      target: [] int32.
      rank: [] int32.
      choose: [] bool.
    """
    label = example.label
    value_of = embedding_loss.bind(self.loss, classifier, example.clean)

    def loss_fn(image: jax.Array, key: jax.Array | None) -> tuple[jax.Array, Any]:
      logits = logits_of(classifier, image, key)
      if not self.targeted:
        return value_of(logits, label), (logits, target)
      others = losses.other_classes(jax.lax.stop_gradient(logits), label)
      ranked = jnp.where(rank < len(others), others[jnp.minimum(rank, len(others) - 1)], NO_TARGET)
      aim = jnp.where(choose, ranked, target)
      return _TARGETED[str(self.loss)](logits, label, jnp.maximum(aim, 0)), (logits, aim)

    differentiate = jax.value_and_grad(loss_fn, has_aux=True)
    if self.draws == 1:
      (value, (logits, aim)), gradient = differentiate(image, None)
      return Evaluation(value, gradient, embedding_loss.fooled(self.loss, logits, label), aim)
    # One after another: many draws at once would not fit.
    keys = jax.random.split(example.key, self.draws)
    (values, (logits, aims)), gradients = jax.lax.map(lambda key: differentiate(image, key), keys)
    fooled = losses.fooled(logits.mean(axis=0), label)
    return Evaluation(values.mean(), gradients.mean(axis=0), fooled, aims[0])


def make(
  attack: str, loss: str | losses.Loss, targets: int, restarts: int, draws: int
) -> Objective:
  """A checked Objective; `attack` is a name for messages.

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
  return Objective(loss, targets, restarts, draws)


def attack(
  objective: Objective,
  ball: Norm,
  init: InitFn,
  ascend: Callable[[Any, Evaluation, jax.Array], Any],
  evaluations: int,
  point: str,
  keep_going: bool,
) -> Attack:
  """An attack whose step is an evaluation and the move that follows from it.

  Args:
    objective: what it maximises.
    ball: its norm.
    init: gives a state with `target`, `rank` and `best`; with a targeted objective the search is at
      the clean image, and `best` is where it is to start.
    ascend: (state, evaluation, number of the evaluation) -> the state after a move, and whether
      that was the last one, [] bool.
    evaluations: in one run, without the one that ranks the targets.
    point: the name of the state's field that holds the image to evaluate.
    keep_going: whether it returns the strongest image of all runs.
  """
  ranking = int(objective.targeted)

  def step(classifier: Classifier, state: Any) -> Any:
    count = state.progress.count
    example, image = state.example.fold_in(count), getattr(state, point)
    evaluation = objective.evaluate(
      classifier, example, image, state.target, state.rank, choose=count == 0
    )
    moved, done = ascend(state, evaluation, count - ranking)
    progress = Progress(count + 1, moved.strongest.fooled, done)
    moved = dataclasses.replace(moved, progress=progress)
    if not ranking:
      return moved
    # Nothing has been attacked yet: what the clean image shows is the target alone.
    untargeted = evaluation.target == NO_TARGET
    progress = Progress(count + 1, state.progress.fooled, done=untargeted)
    start = {point: state.best, "target": evaluation.target, "progress": progress}
    ranked = dataclasses.replace(state, **start)
    return jax.tree.map(lambda x, y: jnp.where(count == 0, x, y), ranked, moved)

  return Attack(
    init,
    step,
    ball,
    evaluations + ranking,
    forwards=objective.draws + embedding_loss.forwards(objective.loss),
    backwards=objective.draws,
    runs=max(objective.targets, 1) * objective.restarts,
    keep_going=keep_going,
    draws=objective.draws,
    targets=objective.targets,
    classes=objective.classes,
    starts=True,
  )
