"""What a sequence is: frames that change a little from one to the next, made one after another."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

# Whose constants: ImageNet-P's for 224 pixels, Tiny-ImageNet-P's (64), CIFAR-10-P's (32), and
# ImageNet-P-299's.
VARIANTS = ("imagenet", "tiny", "cifar", "inception")

Shape = tuple[int, int]  # Height and width.


class Schedule(NamedTuple):
  """What is fixed before any image is seen; numpy arrays."""

  constants: Any  # A pytree, for all frames.
  frames: Any  # A pytree of arrays [T, ...], an entry for each frame.


class Sequence(NamedTuple):
  """Pure functions of one image; `jax.lax.scan` runs `frame` over the schedule's frames."""

  # (variant, difficulty, shape of the image, shape of a frame) -> Schedule.
  schedule: Callable[[str, int, Shape, Shape], Schedule]
  # (key, pixels float32 [H, W, 3] in 0..255, constants) -> state.
  start: Callable[[jax.Array, jax.Array, Any], Any]
  # (state, constants, the frame's entry) -> (state, pixels [h, w, 3], still to be cut to 8 bits).
  frame: Callable[[Any, Any, Any], tuple[Any, jax.Array]]
  moves: bool = False  # The image moves, so that frames show what lies beyond them.
  is_noise: bool = False  # Frames are compared with the first, a clean one, not with neighbours.
  # The same as newer versions of ImageMagick compute it, if that has a part in it.
  floored: Any = None

  @property
  def im_rounded(self) -> bool:
    """Whether its frames depend on how ImageMagick rounds."""
    return self.floored is not None

  def rounding(self, im_round: str) -> "Sequence":
    """The same where ImageMagick rounds as `im_round` says, from `motion.IM_ROUNDS`."""
    return self.floored if self.im_rounded and im_round == "floor" else self


def of_image(
  schedule: Callable[[str, int, Shape, Shape], Schedule],
  frame: Callable[[jax.Array, Any, Any], jax.Array],
  *,
  moves: bool = False,
) -> Sequence:
  """A sequence whose frames depend on the image, not on each other.

  Args:
    schedule: as `Sequence` has it.
    frame: (pixels, constants, the frame's entry) -> pixels [h, w, 3], still to be cut to 8 bits.
    moves: as `Sequence` has it.
  """

  def start(key: jax.Array, pixels: jax.Array, constants: Any) -> jax.Array:
    return pixels

  def step(pixels: jax.Array, constants: Any, now: Any) -> tuple[jax.Array, jax.Array]:
    return pixels, frame(pixels, constants, now)

  return Sequence(schedule, start, step, moves)


def of_variant(table: Mapping[str, Any], variant: str) -> Any:
  """A variant's entry in `table`; one without an entry has that of "imagenet"."""
  return table.get(variant, table["imagenet"])


def steps(length: int, middle: int) -> np.ndarray:
  """The numbers of `length` frames counted from the frame `middle`: int [T]."""
  return np.arange(length) - middle


def corner(image: Shape, frame: Shape) -> Shape:
  """Row and column of an image where a frame in its centre begins, as torchvision rounds."""
  return round((image[0] - frame[0]) / 2), round((image[1] - frame[1]) / 2)
