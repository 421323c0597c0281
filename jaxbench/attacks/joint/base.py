"""What a joint attack is, and the signed steps that move its images."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import norms


class Guide(Protocol):
  """Makes of an encoder a classifier whose class n is image n of a set, which its texts attract."""

  def __call__(
    self, encoder: Any, images: np.ndarray, texts: np.ndarray, owners: np.ndarray
  ) -> Any:
    """A pytree callable: images [B, H, W, 3] -> logits [B, N], of which the own one is lowered.

    Args:
      encoder: a pytree callable, images -> features [B, D].
      images: float32 [N, D] of the set as it is, unit rows.
      texts: float32 [T, D] of its captions, attacked, unit rows.
      owners: int [T], the image that each is of.
    """


class Joint(NamedTuple):
  """An attack on both sides: of texts against images, of images against these texts.

  It asks nobody what is found. `attacks.run` with its images' side leaves alone what is lost as it
  is; a run of `--config.joint.names` does not.
  """

  images: Attack  # On what `guide` makes; the label is the image's place.
  guide: Guide
  objective: str  # Of the attack on texts, from `text.OBJECTIVES`.
  again: bool  # Whether the texts are attacked anew, as they were, against the attacked images.


@struct.dataclass
class SignedState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32, inside the ball and inside [0, 1].
  progress: Progress


def unit(features: jax.Array) -> jax.Array:
  """Rows [..., D] of length 1, as a guide compares them."""
  return features / jnp.linalg.norm(features, axis=-1, keepdims=True)


# (classifier, image [H, W, 3], label [], key) -> the gradient of what is ascended, [H, W, 3].
Gradient = Callable[[Classifier, jax.Array, jax.Array, jax.Array], jax.Array]


def signed(
  gradient: Gradient,
  *,
  steps: int,
  stride: Callable[[jax.Array], jax.Array | float],
  lowest: float,
  passes: int = 1,
  transforms: bool = False,
) -> Attack:
  """Steps along the sign of a gradient in linf; all are taken, and the last iterate is returned.

  That is what these papers' code does; no iterate is compared with another.

  Args:
    gradient: forward and backward `passes` each.
    steps: how many.
    stride: (epsilon []) -> the length of a step, in pixel units.
    lowest: of the start, which is uniform between that and 1, times epsilon.
    transforms: whether it evaluates images that are moved or scaled.
  """
  ball = norms.get("linf")

  def init(example: Example, run: jax.Array | int = 0) -> SignedState:
    del run
    clean = example.clean
    noise = jax.random.uniform(example.key, clean.shape, clean.dtype, lowest, 1.0)
    start = example.kept(ball.project(clean, clean + example.epsilon * noise, example.epsilon))
    return SignedState(example, start, Progress.begin())

  def step(classifier: Classifier, state: SignedState) -> SignedState:
    example = state.example
    key = jax.random.fold_in(example.key, state.progress.count)
    slope = gradient(classifier, state.image, example.label, key)
    moved = state.image + stride(example.epsilon) * jnp.sign(slope)
    image = example.kept(ball.project(example.clean, moved, example.epsilon))
    count = state.progress.count + 1
    return SignedState(example, image, Progress(count, jnp.bool_(False), count >= steps))

  return Attack(
    init,
    step,
    ball,
    steps,
    forwards=passes,
    backwards=passes,
    keep_going=True,
    transforms=transforms,
  )
