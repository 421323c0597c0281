"""ImageNet-P: sequences of frames that change little by little (Hendrycks & Dietterich, 2019)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbench import errors, threefry
from jaxbench.corruptions.base import floor, rint
from jaxbench.corruptions.motion import IM_ROUNDS
from jaxbench.corruptions.sequences import affine, blur, noise, tilt, weather
from jaxbench.corruptions.sequences.base import VARIANTS, Sequence, corner

_OFFICIAL: dict[str, Sequence] = {  # In ImageNet-P's order.
  "gaussian_noise": noise.gaussian_noise,
  "shot_noise": noise.shot_noise,
  "motion_blur": blur.motion_blur,
  "zoom_blur": affine.zoom_blur,
  "snow": weather.snow,
  "brightness": weather.brightness,
  "translate": affine.translate,
  "rotate": affine.rotate,
  "tilt": tilt.tilt,
  "scale": affine.scale,
}
_EXTRA: dict[str, Sequence] = {
  "speckle_noise": noise.speckle_noise,
  "gaussian_blur": blur.gaussian_blur,
  "spatter": weather.spatter,
  "shear": affine.shear,
}
_ALL = _OFFICIAL | _EXTRA
SEQUENCES, EXTRA_SEQUENCES = tuple(_OFFICIAL), tuple(_EXTRA)
DIFFICULTIES = (1, 2, 3)


class Film(NamedTuple):
  """A sequence of images of one shape, to be made frame by frame; see `film`."""

  length: int  # Frames.
  start: Callable[[jax.Array, jax.Array], Any]  # (key, image) -> state, a pytree of arrays.
  frame: Callable[[Any, jax.Array], tuple[Any, jax.Array]]  # (state, index) -> (state, image).
  moves: bool  # What lies beyond the frames comes into view, where the image is larger.
  is_noise: bool  # Frames are compared with the first one; those of others, with neighbours.
  im_rounded: bool  # They depend on how ImageMagick rounds.


def film(
  name: str,
  height: int,
  width: int,
  *,
  size: int | None = None,
  variant: str = "imagenet",
  difficulty: int = 1,
  im_round: str = "nearest",
) -> Film:
  """A sequence for those who cannot hold all its frames; `sequence` explains the arguments.

  `frame` is called with index 0, 1, ... and the state that the last call gave, under `jax.vmap` for
  a batch.

  Raises:
    InputError: a name is unknown, the image is smaller than its frames, or the reference has no
      such sequence of a small image.
  """
  _check(name, variant, difficulty, im_round)
  whole, shown = (height, width), (height, width) if size is None else (size, size)
  if min(shown) < 1 or min(height - shown[0], width - shown[1]) < 0:
    raise errors.InputError(f"frames of {size} pixels cannot be cut from {height} x {width}")
  described = _ALL[name]
  made = described.rounding(im_round)
  image_shape = whole if made.moves else shown
  constants, frames = made.schedule(variant, difficulty, image_shape, shown)
  (top, left), (bottom, right) = _centre(whole, image_shape)

  def start(key: jax.Array, image: jax.Array) -> Any:
    pixels = rint(image[top:bottom, left:right] * 255)
    # Counters for arrays that the compiler may divide would take a CPU four times as long.
    with jax.threefry_partitionable(False):
      return made.start(threefry.quick(key), pixels, jax.tree.map(jnp.asarray, constants))

  def frame(state: Any, index: jax.Array) -> tuple[Any, jax.Array]:
    now = jax.tree.map(lambda leaf: jnp.asarray(leaf)[index], frames)
    with jax.threefry_partitionable(False):
      state, pixels = made.frame(state, jax.tree.map(jnp.asarray, constants), now)
    return state, floor(jnp.clip(pixels, 0.0, 255.0)) / 255

  length = len(jax.tree.leaves(frames)[0])
  return Film(length, start, frame, made.moves, made.is_noise, described.im_rounded)


def sequence(
  key: jax.Array,
  image: jax.Array,
  name: str,
  *,
  size: int | None = None,
  variant: str = "imagenet",
  difficulty: int = 1,
  im_round: str = "nearest",
) -> jax.Array:
  """Makes the frames of one image, one after another in a scan.

  They are those of ImageNet-P before its videos were compressed (H.264, with loss). Geometry is
  Pillow's and OpenCV's 8 bits, about the centre that torchvision had in 2018.

  Args:
    key: of `jax.random.key`; unused by deterministic sequences.
    image: float32 [H, W, 3] in [0, 1].
    name: from `SEQUENCES` or `EXTRA_SEQUENCES`.
    size: of the frames, which show the centre of the image. The reference gives 224 and images
      whose short side is 256: then translate, rotate, tilt, scale, shear and zoom_blur bring in
      what lies beyond the frame. By default the image's own size: beyond it all is black.
    variant: whose constants, from `sequences.VARIANTS`: "imagenet" (224 pixels), "tiny" (64),
      "cifar" (32) or "inception" (299). The last moves whole photographs, then shrinks them: here
      the image moves as it is, so that translate counts its pixels.
    difficulty: 1 to 3, of noise. The others' frames do not depend on it: there, frames that far
      apart are compared (see `plan.perturbations.changes`).
    im_round: how ImageMagick rounds in "motion_blur" and "snow": "nearest", as when the published
      set was made, or "floor", as since October 2019.

  Returns:
    float32 [T, h, w, 3] in [0, 1], whole multiples of 1/255; T is 31, but for translate (41) and
    some of "tiny" and "cifar". Gradients pass through the rounding, and stop at the whole numbers
    of shot_noise and tilt.

  Raises:
    InputError: a name is unknown, or image or size is out of shape.

  Example:
    >>> frames = corruptions.sequence(jax.random.key(0), image, "tilt", size=224)
  """
  if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != jnp.float32:
    actual = f"{image.dtype} {list(image.shape)}"
    raise errors.InputError(f"image must be float32 [H, W, 3], not {actual}; vmap over a batch")
  height, width, _ = image.shape
  made = film(
    name,
    height,
    width,
    size=size,
    variant=variant,
    difficulty=difficulty,
    im_round=im_round,
  )
  return jax.lax.scan(made.frame, made.start(key, image), jnp.arange(made.length))[1]


def _check(name: str, variant: str, difficulty: int, im_round: str) -> None:
  if name not in _ALL:
    raise errors.unknown("sequence", name, _ALL)
  if variant not in VARIANTS:
    raise errors.unknown("variant of sequences", variant, VARIANTS)
  if difficulty not in DIFFICULTIES:
    raise errors.InputError(f"difficulty must be 1, 2 or 3, not {difficulty!r}")
  if im_round not in IM_ROUNDS:
    raise errors.unknown("im_round", im_round, IM_ROUNDS)


def _centre(image: tuple[int, int], shown: tuple[int, int]) -> tuple[Any, Any]:
  """Its first row and column, and those behind it."""
  top, left = corner(image, shown)
  return (top, left), (top + shown[0], left + shown[1])
