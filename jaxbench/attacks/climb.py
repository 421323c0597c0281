"""What APGD's variants climb: a loss, its targets and its average over a randomised classifier."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbench import errors
from jaxbench.attacks import losses
from jaxbench.attacks.base import logits_of

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
  targeted: bool
  draws: int  # Above 1, the classifier takes a key and is averaged over so many.

  @property
  def classes(self) -> int:
    """With fewer, the loss has a substitute."""
    return 2 if self.loss != "dlr" else 4 if self.targeted else 3

  def look(
    self,
    classifier: Any,
    image: jax.Array,
    label: jax.Array,
    target: jax.Array,
    rank: jax.Array,
    choose: jax.Array,
    key: jax.Array,
  ) -> View:
    """One pass forward and backward at `image` [H, W, 3].

    A targeted loss aims at class `target` or, where `choose`, at the one whose logit is number
    `rank` (0 is the largest) of the classes other than the label.
    """

    def objective(image: jax.Array, key: jax.Array | None) -> tuple[jax.Array, Any]:
      logits = logits_of(classifier, image, key)
      if not self.targeted:
        return losses.get(self.loss)(logits, label), (logits, target)
      others = losses.other_classes(jax.lax.stop_gradient(logits), label)
      ranked = jnp.where(rank < len(others), others[jnp.minimum(rank, len(others) - 1)], NO_TARGET)
      aim = jnp.where(choose, ranked, target)
      return _TARGETED[str(self.loss)](logits, label, jnp.maximum(aim, 0)), (logits, aim)

    look = jax.value_and_grad(objective, has_aux=True)
    if self.draws == 1:
      (value, (logits, aim)), gradient = look(image, None)
      return View(value, gradient, losses.fooled(logits, label), aim)
    # One after another: many draws at once would not fit.
    seen = jax.lax.map(lambda key: look(image, key), jax.random.split(key, self.draws))
    (values, (logits, aims)), gradients = seen
    fooled = losses.fooled(logits.mean(axis=0), label)
    return View(values.mean(), gradients.mean(axis=0), fooled, aims[0])


def make(attack: str, loss: str | losses.Loss, targets: int, draws: int) -> Climb:
  """A checked Climb.

  Raises:
    InputError: the loss is unknown or has no targeted form, or a number is out of range.
  """
  losses.get(loss)
  if targets and loss not in _TARGETED:
    raise errors.InputError(f"{attack}: a targeted loss is one of {', '.join(_TARGETED)}")
  if targets < 0 or draws < 1:
    raise errors.InputError(f"{attack} needs targets >= 0, draws >= 1, not {targets}, {draws}")
  return Climb(loss, targets > 0, draws)
