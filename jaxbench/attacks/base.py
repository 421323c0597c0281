"""What an attack is: a named pair of pure functions for one example, in the spirit of optax."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import threefry
from jaxbench.attacks.parts.norms import Norm

Classifier = Callable[[jax.Array], jax.Array]  # A pytree callable: [B, H, W, 3] -> [B, K].


@struct.dataclass
class Averaged:
  """A randomised classifier, called as classifier(images, key=key), by its mean over draws.

  Images are classified one by one, so that a place in a batch does not change the randomness.
  """

  classifier: Any
  draws: int = struct.field(pytree_node=False)

  def __call__(self, images: jax.Array) -> jax.Array:
    """Mean logits [B, K] over the same few draws every time."""
    keys = jax.random.split(threefry.key(0), self.draws)
    each = jax.vmap(lambda image, key: logits_of(self.classifier, image, key), (0, None))
    return jax.lax.map(lambda key: each(images, key), keys).mean(axis=0)


@struct.dataclass
class Example:
  """What is attacked."""

  key: jax.Array  # PRNG key, of this example alone.
  clean: jax.Array  # [H, W, 3] float32 in [0, 1].
  label: jax.Array  # [] int32.
  epsilon: jax.Array  # [] float32, radius of the ball around `clean`, in pixel units.
  mask: jax.Array | None = None  # [H, W, 3] bool: what may change; None: everything.
  start: jax.Array | None = None  # [H, W, 3] float32 in [0, 1]: where to begin; None: anywhere.

  def begun(self, image: jax.Array, run: jax.Array | int = 0) -> jax.Array:
    """Where a run begins: the first at `start`, if there is one, others at `image` [H, W, 3]."""
    first = image if self.start is None else jnp.where(jnp.asarray(run) == 0, self.start, image)
    return self.kept(first)

  def kept(self, images: jax.Array) -> jax.Array:
    """`images` [..., H, W, 3], the clean one where nothing may change."""
    return kept(images, self.clean, self.mask)

  def fold_in(self, number: jax.Array | int) -> "Example":
    """The same with a key for the run or step of that number, [] int32."""
    return dataclasses.replace(self, key=jax.random.fold_in(self.key, number))


@struct.dataclass
class Progress:
  """How far the search for one example has come."""

  count: jax.Array  # [] int32, steps taken.
  fooled: jax.Array  # [] bool: the image fooled. A claim: the engine judges for itself.
  done: jax.Array  # [] bool: nothing more to do.

  @staticmethod
  def begin() -> "Progress":
    """The progress before the first step."""
    return Progress(count=jnp.int32(0), fooled=jnp.bool_(False), done=jnp.bool_(False))


class State(Protocol):
  """What every attack's state has; a frozen dataclass of arrays, for one example."""

  @property
  def example(self) -> Example:
    """What is attacked; no step changes it."""

  @property
  def image(self) -> jax.Array:
    """[H, W, 3] float32, always inside the ball and inside [0, 1]."""

  @property
  def progress(self) -> Progress:
    """The number of steps, whether `image` fools, and whether the search is over."""


class Restartable(State, Protocol):
  """The state of an attack of several runs, of which the engine keeps the strongest image."""

  @property
  def strength(self) -> jax.Array:
    """[] float32, of `image`: compared among images of the same example that fool, or do not."""


class InitFn(Protocol):
  """Starts on one example."""

  def __call__(self, example: Example, run: jax.Array | int = 0) -> State:
    """The state before the first step.

    `run` [] int32 counts the attack's restarts and targets, 0 to `Attack.runs` - 1.
    """


class StepFn(Protocol):
  """One iteration: the same program at every iteration, for every example, epsilon and run."""

  def __call__(self, classifier: Classifier, state: Any) -> State:
    """The state after one more step; the image is left alone where it fools already."""


class Attack(NamedTuple):
  """An attack. It never reports its own success: the engine judges the image it returns."""

  init: InitFn
  step: StepFn
  norm: Norm  # Of the ball that the engine holds it to.
  steps: int  # The most steps of one run.
  forwards: int  # Forward passes per step.
  backwards: int  # Backward passes per step.
  runs: int = 1  # Restarts times targets, tried one after another until one succeeds.
  minimizes: bool = False  # It returns the smallest perturbation it finds, not the first.
  keep_going: bool = False  # It makes all its runs and returns the strongest image, for transfer.
  draws: int = 1  # Above 1, the classifier is randomised: called with a key, and averaged.
  targets: int = 0  # Classes aimed at, one in each run.
  classes: int = 2  # With fewer, its loss has a substitute.
  decision_based: bool = False  # It sees which class is predicted, no logits.
  monotone: bool = True  # At a larger epsilon it fools about as many, or more.
  # Its last step is a move to an image that it has not evaluated; its state has `strongest`.
  ends_unevaluated: bool = False
  # It shows the classifier images that are moved or scaled, whose pixels are not the example's.
  transforms: bool = False
  starts: bool = False  # Its first run begins at the `start` of an example that has one.


def kept(images: jax.Array, clean: jax.Array, mask: jax.Array | None) -> jax.Array:
  """`images`, with the pixels of `clean` where the mask is false; arrays of one shape."""
  return images if mask is None else jnp.where(mask, images, clean)


@functools.cache  # Equal attacks are one object, so that they share one compiled program.
def as_run(attack: Attack, *, bisected: bool) -> Attack:
  """The attack as the engine runs it: with one step more, which evaluates the last image.

  Whoever tries again after a failure, at another epsilon or from another start, has to know
  whether it failed before the verdict comes, and how strong the image is. Others are left as they
  are.
  """
  if not attack.ends_unevaluated or not (bisected or attack.runs > 1):
    return attack

  def step(classifier: Classifier, state: Any) -> Any:
    after: Any = attack.step(classifier, state)
    last = state.progress.count == attack.steps
    image = jnp.where(last, after.strongest.image, after.image)
    done = after.progress.fooled | (after.progress.count > attack.steps)
    progress = dataclasses.replace(after.progress, done=done)
    return dataclasses.replace(after, image=image, progress=progress)

  return attack._replace(step=step, steps=attack.steps + 1, ends_unevaluated=False)


class Cascade(NamedTuple):
  """Attacks in a row: each sees only what those before it did not fool."""

  names: tuple[str, ...]
  attacks: tuple[Attack, ...]

  @property
  def knowledge(self) -> str:
    """What the attacker must know of the classifier."""
    if any(attack.backwards for attack in self.attacks):
      return "everything: weights and, of a zero-shot classifier, prompts"
    if all(attack.decision_based for attack in self.attacks):
      return "the predicted class of each query"
    return "the logits of each query"

  @property
  def draws(self) -> int:
    """The draws that the mean of a randomised classifier is taken over; 1 if it is not random."""
    return max(attack.draws for attack in self.attacks)


def cascade(attack: Attack | Cascade) -> Cascade:
  """An attack alone is a cascade of one."""
  return attack if isinstance(attack, Cascade) else Cascade(("attack",), (attack,))


def as_float(images: jax.Array) -> jax.Array:
  """Images as float32 in [0, 1], which uint8 ones become."""
  return images.astype(jnp.float32) / 255 if images.dtype == jnp.uint8 else images


def logits_of(classifier: Any, image: jax.Array, key: jax.Array | None = None) -> jax.Array:
  """Logits [K] of one image [H, W, 3]; `key` is for a randomised classifier."""
  return classifier(image[None])[0] if key is None else classifier(image[None], key=key)[0]
