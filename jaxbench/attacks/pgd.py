"""Projected gradient descent (Madry et al., 2018, arXiv:1706.06083)."""

import dataclasses
import functools
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import embedding_loss, losses, norms, randomised, strongest


@struct.dataclass
class PGDState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32, inside the ball and inside [0, 1].
  strongest: strongest.Strongest  # Of all iterates that were evaluated.
  progress: Progress

  @property
  def strength(self) -> jax.Array:
    """The largest loss."""
    return self.strongest.loss


@functools.cache  # Equal attacks are one object, so that they share one compiled program.
def pgd(
  *,
  steps: int = 40,
  norm: str = "linf",
  loss: str | losses.Loss = "cross_entropy",
  target: int | None = None,
  random_start: bool = True,
  restarts: int = 1,
  relative_step: float = 2.5,
  step_size: Annotated[float | None, spec.LATER] = None,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Steps along the steepest direction of the loss, projected back after each one.

  It stops at the first image that fools the classifier.

  Args:
    steps: the most gradient steps of one run.
    norm: "linf", "l2" or "l1", whose steps move one percent of the coordinates (Tramer & Boneh,
      2019, arXiv:1904.13000).
    loss: "cross_entropy", "margin", "dlr", a function (logits [K], label []) -> [], or "distance":
      of the outputs from those of the clean image, squared, with which an image encoder serves as
      the classifier (FARE's loss; see `parts/embedding_loss.py`), and all steps are taken.
    target: a class to make likelier instead of making the label less likely: the loss is taken at
      it and descended. Any misclassification still counts.
    random_start: begin at a uniform point of the ball instead of the image itself.
    restarts: runs from different random starts.
    relative_step: length of all steps of a run together, in units of epsilon.
    step_size: of one step instead, in [0, 1] pixel units, the same at every epsilon.
    keep_going: take all steps of all restarts, fooled or not, and return the strongest iterate, for
      transfer to another model: of those that fool, or of all if none does, that of the largest
      loss.
    draws: above 1, the classifier is randomised: it is called as classifier(images, key=key), and
      losses and gradients are means over so many keys, others at every step.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if steps < 1 or relative_step <= 0 or restarts < 1:
    raise errors.InputError(
      "pgd needs steps >= 1, restarts >= 1 and relative_step > 0, not "
      f"{steps}, {restarts}, {relative_step}"
    )
  if step_size is not None and not 0 < step_size <= 1:
    raise errors.InputError(f"pgd: step_size={step_size} is not in (0, 1], in pixel units")
  if restarts > 1 and not random_start:
    raise errors.InputError("pgd: restarts without random_start would all be the same")
  randomised.check("pgd", draws)
  embedding_loss.check("pgd", loss, usable=random_start and target is None and draws == 1)
  keep_going = keep_going or loss == embedding_loss.NAME  # Which knows nothing of being fooled.
  ball = norms.get(norm)

  def init(example: Example, run: jax.Array | int = 0) -> PGDState:
    clean, epsilon = example.clean, example.epsilon
    noise = ball.sample(example.fold_in(run).key, clean, epsilon) if random_start else 0.0
    start = ball.project(clean, example.begun(clean + noise, run), epsilon)
    return PGDState(
      example=example,
      image=start,
      strongest=strongest.nothing(start),
      progress=Progress.begin(),
    )

  def step(classifier: Classifier, state: PGDState) -> PGDState:
    example = state.example
    value_of = embedding_loss.bind(loss, classifier, example.clean)

    def value_at(logits: jax.Array) -> jax.Array:
      if target is None:
        return value_of(logits, example.label)
      return -value_of(logits, jnp.int32(target))

    key = example.fold_in(state.progress.count).key
    objective = randomised.loss_fn(value_at, classifier, key, draws)
    (value, logits), gradient = jax.value_and_grad(objective, has_aux=True)(state.image)
    stride = relative_step * example.epsilon / steps if step_size is None else step_size
    moved = state.image + stride * ball.steepest(gradient, state.image)
    moved = ball.project(example.clean, moved, example.epsilon)
    fooled = embedding_loss.fooled(loss, logits, example.label)
    return settle(state, value, fooled, moved, steps, keep_going)

  return Attack(
    init,
    step,
    ball,
    steps,
    forwards=draws + embedding_loss.forwards(loss),
    backwards=draws,
    runs=restarts,
    keep_going=keep_going,
    draws=draws,
    classes=2 + (loss == "dlr"),
    ends_unevaluated=not keep_going,
    starts=True,
  )


def settle(
  state: Any, value: jax.Array, fooled: jax.Array, moved: jax.Array, steps: int, keep_going: bool
) -> Any:
  """The state after its image was evaluated: it has moved, unless the image fools.

  With `keep_going` it moves in any case, and ends at the strongest iterate.

  Args:
    state: of one example, with `strongest`.
    value: [] float32, the loss at its image.
    fooled: [] bool, whether that fools.
    moved: [H, W, 3] float32, where the step leads.
    steps: the most.
    keep_going: whether all of them are taken.
  """
  best = state.strongest.after(state.image, value, fooled)
  count = state.progress.count + 1
  if keep_going:
    done = count >= steps
    image, claim = jnp.where(done, best.image, moved), best.fooled
  else:
    done = fooled | (count >= steps)
    image, claim = jnp.where(fooled, state.image, moved), fooled
  progress = Progress(count, fooled=claim, done=done)
  return dataclasses.replace(state, image=image, strongest=best, progress=progress)
