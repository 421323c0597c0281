"""What a corruption is: randomness drawn first, then a deterministic operation, for one image."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import errors

# Whose constants and, where they differ, whose operation: ImageNet-C's for 224 pixels, its "64" for
# Tiny-ImageNet-C, CIFAR-10-C's for 32, ImageNet-C-299's, and the package imagecorruptions'.
VARIANTS = ("imagenet", "tiny", "cifar", "inception", "imagecorruptions")

Level = Any  # What a severity sets: a pytree of arrays; all of them are inputs of one program.
Leaf = Any  # One of those arrays: numpy's of all five severities, then the one severity's.
_T = TypeVar("_T")


class Corruption(NamedTuple):
  """Two pure functions, split so that the second can be checked against draws made elsewhere."""

  # (key, shape [H, W, 3], level) -> pytree of arrays.
  draw: Callable[[jax.Array, tuple[int, ...], Level], Any]
  # (pixels float32 [H, W, 3] in 0..255, draws, level) -> the same, still to be cut to 8 bits.
  apply: Callable[[jax.Array, Any, Level], jax.Array]
  # (variant, height, width) -> the five levels: numpy arrays whose first axis is the severity.
  levels: Callable[[str, int, int], Any]
  # (what the user gives or None, variant, height, width) -> what it lays over images; then both
  # functions get (level, textures) in place of the level. None: it lays nothing over them.
  textures: Callable[[Any, str, int, int], Any] | None = None
  photographs: bool = False  # Its textures are photographs of the user's, which decide its images.
  # The same as newer versions of ImageMagick compute it, if that has a part in it.
  floored: Any = None

  @property
  def im_rounded(self) -> bool:
    """Whether its images depend on how ImageMagick rounds."""
    return self.floored is not None

  def rounding(self, im_round: str) -> "Corruption":
    """The same where ImageMagick rounds as `im_round` says, from `motion.IM_ROUNDS`."""
    return self.floored if self.im_rounded and im_round == "floor" else self


def _straight_through(rounding: Callable[[jax.Array], jax.Array]) -> Callable[..., jax.Array]:
  """The same, with the derivative of the identity: what attacks an image sees through it."""
  rounded = jax.custom_jvp(rounding)
  rounded.defjvps(lambda tangent, result, value: tangent)
  return rounded


floor, rint = _straight_through(jnp.floor), _straight_through(jnp.rint)


@jax.custom_jvp
def with_gradient_of(smooth: jax.Array, value: jax.Array) -> jax.Array:
  """`value`, in whole numbers, with the derivatives of the `smooth` formula that it rounds."""
  return value


with_gradient_of.defjvps(lambda tangent, result, smooth, value: tangent, None)


def nothing(key: jax.Array, shape: tuple[int, ...], level: Level) -> tuple[()]:
  """The `draw` of a deterministic corruption."""
  return ()


def of_variant(table: Mapping[str, _T], variant: str) -> _T:
  """A variant's entry in `table`; one without an entry has that of "imagenet".

  Raises:
    InputError: the variant is unknown.
  """
  if variant not in VARIANTS:
    raise errors.unknown("variant", variant, VARIANTS)
  return table.get(variant, table["imagenet"])


def constants(**table: tuple[Any, ...]) -> Callable[[str, int, int], np.ndarray]:
  """Levels that do not depend on the image's size: five numbers, or five rows, per variant."""

  def levels(variant: str, height: int, width: int) -> np.ndarray:
    return np.asarray(of_variant(table, variant), np.float32)

  return levels
