"""Common corruptions as pure functions of one image, float32 [H, W, 3] in [0, 1].

An image is read as 8 bits and comes back on the 8-bit grid, cut down as the reference cuts
(ImageNet-C; Hendrycks & Dietterich, 2019, arXiv:1903.12261). `jax.vmap` adds the batch.
"""

import jax
import jax.numpy as jnp

from jaxbench import errors
from jaxbench.corruptions.base import VARIANTS, Corruption
from jaxbench.corruptions.digital import contrast, jpeg_compression
from jaxbench.corruptions.noise import gaussian_noise

CORRUPTIONS: dict[str, Corruption] = {
  "gaussian_noise": gaussian_noise,
  "contrast": contrast,
  "jpeg_compression": jpeg_compression,
}
NAMES = tuple(CORRUPTIONS)


def check(name: str, variant: str) -> None:
  """Raises InputError if there is no such corruption or no such variant."""
  if name not in CORRUPTIONS:
    raise errors.unknown("corruption", name, CORRUPTIONS)
  if variant not in VARIANTS:
    raise errors.unknown("variant", variant, VARIANTS)


def corrupt(
  key: jax.Array,
  image: jax.Array,
  name: str,
  severity: int | jax.Array,
  *,
  variant: str = "imagenet",
) -> jax.Array:
  """Corrupts one image.

  Args:
    key: of `jax.random.key`; unused by deterministic corruptions.
    image: float32 [H, W, 3] in [0, 1].
    name: from `NAMES`.
    severity: 1 to 5; may be traced, so that one program serves all.
    variant: whose constants, from `VARIANTS`: "imagenet" (224 pixels), "tiny" (64), "cifar" (32).

  Returns:
    float32 [H, W, 3] in [0, 1], whole multiples of 1/255.

  Raises:
    InputError: a name is unknown, or image or severity is out of shape or range.

  Example:
    >>> noisy = corrupt(jax.random.key(0), image, "gaussian_noise", severity=3)
  """
  check(name, variant)
  if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != jnp.float32:
    found = f"{image.dtype} {list(image.shape)}"
    raise errors.InputError(f"image must be float32 [H, W, 3], not {found}; vmap over a batch")
  if isinstance(severity, int) and not 1 <= severity <= 5:
    raise errors.InputError(f"severity must be 1 to 5, not {severity}")
  corruption = CORRUPTIONS[name]
  levels = corruption.levels(variant, *image.shape[:2])
  level = jax.tree.map(lambda leaf: jnp.asarray(leaf)[severity - 1], levels)
  draws = corruption.draw(key, image.shape, level)
  pixels = corruption.apply(jnp.rint(image * 255), draws, level)
  return jnp.floor(jnp.clip(pixels, 0.0, 255.0)) / 255


__all__ = ["CORRUPTIONS", "NAMES", "VARIANTS", "Corruption", "check", "corrupt"]
