"""Common corruptions as pure functions of one image, float32 [H, W, 3] in [0, 1].

An image is read as 8 bits and comes back on the 8-bit grid, cut down as the reference cuts
(ImageNet-C; Hendrycks & Dietterich, 2019, arXiv:1903.12261). `jax.vmap` adds the batch.
"""

import jax
import jax.numpy as jnp

from jaxbench import errors, threefry
from jaxbench.corruptions import c_bar
from jaxbench.corruptions.base import VARIANTS, Corruption, floor, rint
from jaxbench.corruptions.blur import gaussian_blur
from jaxbench.corruptions.color import brightness, saturate
from jaxbench.corruptions.defocus import defocus_blur
from jaxbench.corruptions.digital import contrast, jpeg_compression
from jaxbench.corruptions.elastic import elastic_transform
from jaxbench.corruptions.fog import fog
from jaxbench.corruptions.frost import frost, procedural_frost
from jaxbench.corruptions.glass import glass_blur
from jaxbench.corruptions.motion import IM_ROUNDS, motion_blur
from jaxbench.corruptions.noise import gaussian_noise, impulse_noise, speckle_noise
from jaxbench.corruptions.pixelate import pixelate
from jaxbench.corruptions.sequences import EXTRA_SEQUENCES, SEQUENCES, Film, film, sequence
from jaxbench.corruptions.shot import shot_noise
from jaxbench.corruptions.snow import snow
from jaxbench.corruptions.spatter import spatter
from jaxbench.corruptions.textures import NoTextures, Textures, frost_textures
from jaxbench.corruptions.zoom import zoom_blur

_COMMON: dict[str, Corruption] = {  # In ImageNet-C's order.
  "gaussian_noise": gaussian_noise,
  "shot_noise": shot_noise,
  "impulse_noise": impulse_noise,
  "defocus_blur": defocus_blur,
  "glass_blur": glass_blur,
  "motion_blur": motion_blur,
  "zoom_blur": zoom_blur,
  "snow": snow,
  "frost": frost,
  "fog": fog,
  "brightness": brightness,
  "contrast": contrast,
  "elastic_transform": elastic_transform,
  "pixelate": pixelate,
  "jpeg_compression": jpeg_compression,
}
_EXTRA: dict[str, Corruption] = {
  "speckle_noise": speckle_noise,
  "gaussian_blur": gaussian_blur,
  "spatter": spatter,
  "saturate": saturate,
}
_STAND_INS: dict[str, Corruption] = {"procedural_frost": procedural_frost}  # In no average.
CORRUPTIONS = _COMMON | _EXTRA | c_bar.CORRUPTIONS | _STAND_INS
NAMES, EXTRA_NAMES, C_BAR_NAMES = tuple(_COMMON), tuple(_EXTRA), tuple(c_bar.CORRUPTIONS)
STORAGES = {"none": None, "jpeg85": 85}  # How images are kept: as they are, or as JPEG files.


def check(name: str, variant: str, im_round: str = "nearest", storage: str = "none") -> None:
  """Raises InputError if there is no such corruption, variant, rounding or storage.

  Args:
    name: of the corruption.
    variant: and the rest as `corrupt` takes them.
    im_round: likewise.
    storage: likewise.
  """
  if name not in CORRUPTIONS:
    raise errors.unknown("corruption", name, CORRUPTIONS)
  if variant not in VARIANTS:
    raise errors.unknown("variant", variant, VARIANTS)
  if im_round not in IM_ROUNDS:
    raise errors.unknown("im_round", im_round, IM_ROUNDS)
  _quality(storage)


def corrupt(
  key: jax.Array,
  image: jax.Array,
  name: str,
  severity: int | jax.Array,
  *,
  variant: str = "imagenet",
  im_round: str = "nearest",
  storage: str = "none",
  textures: Textures | None = None,
) -> jax.Array:
  """Corrupts one image.

  Args:
    key: of `jax.random.key`; unused by deterministic corruptions.
    image: float32 [H, W, 3] in [0, 1].
    name: from `NAMES`, `EXTRA_NAMES` or `C_BAR_NAMES`, or "procedural_frost", which is of no set.
    severity: 1 to 5; may be traced, so that one program serves all.
    variant: whose constants, from `VARIANTS`: "imagenet" (224 pixels), "tiny" (64), "cifar" (32),
      "inception" (299), or the package "imagecorruptions".
    im_round: how ImageMagick rounds where it has a part, in "motion_blur" and "snow": "nearest", as
      when the published sets were made, or "floor", as since October 2019.
    storage: "none", as the reference's functions return images, or "jpeg85", as ImageNet-C keeps
      them: JPEG of quality 85.
    textures: what "frost" lays over the image, from `frost_textures`.

  Returns:
    float32 [H, W, 3] in [0, 1], whole multiples of 1/255. Gradients pass through the rounding, and
    through JPEG as if it changed nothing; only through "shot_noise", which counts, they are zero.

  Raises:
    InputError: a name is unknown, or image or severity is out of shape or range, or frost has
      no textures.

  Example:
    >>> noisy = corrupt(jax.random.key(0), image, "gaussian_noise", severity=3)
  """
  check(name, variant, im_round, storage)
  if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != jnp.float32:
    actual = f"{image.dtype} {list(image.shape)}"
    raise errors.InputError(f"image must be float32 [H, W, 3], not {actual}; vmap over a batch")
  if not isinstance(severity, jax.core.Tracer) and severity not in range(1, 6):
    raise errors.InputError(f"severity must be 1 to 5, not {severity}")
  corruption = CORRUPTIONS[name].rounding(im_round)
  levels = corruption.levels(variant, *image.shape[:2])
  level = jax.tree.map(lambda leaf: jnp.asarray(leaf)[severity - 1], levels)
  if corruption.textures is not None:
    overlays = corruption.textures(textures, variant, *image.shape[:2])
    level = level, jax.tree.map(jnp.asarray, overlays)
  # Counters for arrays that the compiler may divide would take a CPU four times as long.
  with jax.threefry_partitionable(False):
    draws = corruption.draw(threefry.quick(key), image.shape, level)
  pixels = corruption.apply(rint(image * 255), draws, level)
  return stored(floor(jnp.clip(pixels, 0.0, 255.0)) / 255, storage)


def stored(image: jax.Array, storage: str) -> jax.Array:
  """An image, float32 [H, W, 3] of multiples of 1/255, as a file of that kind holds it.

  Raises:
    InputError: the storage is unknown.
  """
  quality = _quality(storage)
  if quality is None:
    return image
  return jpeg_compression.apply(rint(image * 255), (), jnp.int32(quality)) / 255


def _quality(storage: str) -> int | None:
  """Of the JPEG files, if the images are kept as such."""
  if storage not in STORAGES:
    raise errors.unknown("storage", storage, STORAGES)
  return STORAGES[storage]


__all__ = [
  "CORRUPTIONS",
  "C_BAR_NAMES",
  "EXTRA_NAMES",
  "EXTRA_SEQUENCES",
  "IM_ROUNDS",
  "NAMES",
  "SEQUENCES",
  "STORAGES",
  "VARIANTS",
  "Corruption",
  "Film",
  "NoTextures",
  "Textures",
  "check",
  "corrupt",
  "film",
  "frost_textures",
  "sequence",
  "stored",
]
