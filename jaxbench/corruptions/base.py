"""What a corruption is: randomness drawn first, then a deterministic operation, for one image."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

VARIANTS = (
  "imagenet",
  "cifar",
)  # ImageNet-C's constants, for 224 pixels, and CIFAR-10-C's, for 32.


class Corruption(NamedTuple):
  """Two pure functions, split so that the second can be checked against draws made elsewhere."""

  # (key, shape, constant) -> pytree of arrays.
  draw: Callable[[jax.Array, tuple[int, ...], jax.Array], Any]
  # (pixels float32 [H, W, 3] in 0..255, draws, constant) -> the same, still to be cut to 8 bits.
  apply: Callable[[jax.Array, Any, jax.Array], jax.Array]
  # Per variant, the constant of each severity.
  constants: dict[str, tuple[float, ...]]


def nothing(key: jax.Array, shape: tuple[int, ...], constant: jax.Array) -> tuple[()]:
  """The draw of a deterministic corruption."""
  return ()
