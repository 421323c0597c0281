"""The photographs that frost lays over an image, and a synthetic stand-in for them.

Nobody states a licence for the reference's photographs, so they are not part of this package.
"""

import functools
import hashlib
import importlib.util
import math
import pathlib

import numpy as np
from flax import struct
from PIL import Image

from jaxbench import errors
from jaxbench.corruptions import resize
from jaxbench.corruptions.base import of_variant

_FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")
_SCALES = {"imagenet": 1, "tiny": 0.3, "cifar": 0.2}
_ENLARGE = 1.1  # What imagecorruptions does to every photograph.
_WAY_OUT = (
  "`pip install --no-deps imagecorruptions`, or name a folder with"
  f" {', '.join(_FILES)}: textures=corruptions.frost_textures(folder)"
)


class NoTextures(errors.InputError):
  """Frost's photographs are not there."""


@struct.dataclass
class Textures:
  """Photographs of several sizes, ready for one variant and one size of image."""

  pixels: np.ndarray  # [N, Hmax, Wmax, 3] uint8, padded with zeros.
  sizes: np.ndarray  # [N, 2] int32, true heights and widths; each exceeds the image's.
  made_for: tuple[str, int, int] = struct.field(pytree_node=False)  # Variant, height, width.

  @property
  def digest(self) -> str:
    """A hash of the photographs and their scale."""
    packed = np.asarray(self.sizes).tobytes() + np.asarray(self.pixels).tobytes()
    return hashlib.sha256(packed).hexdigest()[:16]


def frost_textures(
  folder: str | pathlib.Path | None = None,
  *,
  variant: str = "imagenet",
  height: int = 224,
  width: int = 224,
) -> Textures:
  """Reads the reference's photographs for `corrupt(..., "frost", textures=...)`.

  Args:
    folder: holds frost1.png to frost3.png, frost4.jpg and frost5.jpg; None: the ones of an
      installed `imagecorruptions` package, which is not imported.
    variant: decides their scale, from `VARIANTS`; photographs no larger than the image are
      enlarged as imagecorruptions does.
    height: of the images to corrupt, in pixels.
    width: likewise.

  Raises:
    NoTextures: a photograph is missing or cannot be read.
    InputError: the variant is unknown.
  """
  path = _installed() if folder is None else pathlib.Path(folder)
  photographs = [_scaled(_read(path / name), variant, height, width) for name in _FILES]
  return _padded(photographs, (variant, height, width))


@functools.cache
def procedural_textures(variant: str, height: int, width: int) -> Textures:
  """Synthetic frost for a variant and a size: needles of ice on a cloudy pane; not reference.

  It is always the same. The published numbers were made with photographs; these resemble them and
  no more.
  """
  size = height + height // 2, width + width // 2
  return _padded([_synthetic(seed, *size) for seed in range(5)], (variant, height, width))


def check_given(textures: Textures | None, variant: str, height: int, width: int) -> Textures:
  """The user's `textures`, made for images of this variant, height and width.

  Raises:
    NoTextures: there are none.
    InputError: they were made for other images.
  """
  if textures is None:
    raise NoTextures(f"frost needs the reference's photographs: {_WAY_OUT}")
  wanted = (variant, height, width)
  if textures.made_for != wanted:
    raise errors.InputError(
      f"these frost textures are for {textures.made_for}, the images are {wanted}:"
      f" frost_textures({variant=}, {height=}, {width=})"
    )
  return textures


def _installed() -> pathlib.Path:
  spec = importlib.util.find_spec("imagecorruptions")  # Its import fails on current setuptools.
  if spec is None or spec.origin is None:
    raise NoTextures(f"imagecorruptions is not installed: {_WAY_OUT}")
  return pathlib.Path(spec.origin).parent / "frost"


def _read(path: pathlib.Path) -> np.ndarray:
  try:
    with Image.open(path) as picture:
      return np.asarray(picture.convert("RGB"))
  except OSError as error:
    raise NoTextures(f"cannot read the frost photograph {path}: {_WAY_OUT}") from error


def _scaled(photograph: np.ndarray, variant: str, height: int, width: int) -> np.ndarray:
  if (scale := of_variant(_SCALES, variant)) < 1:
    photograph = resize.linear(photograph, scale)
  rows, columns = photograph.shape[:2]
  if variant != "imagecorruptions" and rows > height and columns > width:
    return photograph
  factor = _ENLARGE * max(1, height / rows, width / columns)
  return resize.cubic(photograph, math.ceil(rows * factor), math.ceil(columns * factor))


def _padded(photographs: list[np.ndarray], made_for: tuple[str, int, int]) -> Textures:
  sizes = np.array([photograph.shape[:2] for photograph in photographs], np.int32)
  pixels = np.zeros((len(sizes), *sizes.max(axis=0), 3), np.uint8)
  for place, photograph in zip(pixels, photographs, strict=True):
    place[: photograph.shape[0], : photograph.shape[1]] = photograph
  return Textures(pixels, sizes, made_for)


def _synthetic(seed: int, height: int, width: int) -> np.ndarray:
  """Needles in seven directions over a cloudy pane: uint8 [height, width, 3]."""
  noise = np.random.default_rng(seed)
  fractal = functools.partial(_fractal, noise, height, width)
  layers = [fractal(1.2, angle, 9) + 0.8 * fractal(1.6) for angle in noise.uniform(0, np.pi, 7)]
  needles = np.clip(np.max(layers, axis=0) - 1.2, 0, 2) / 2
  ice = 0.45 + 0.06 * fractal(1.8) + 0.5 * needles
  return (np.clip(ice[..., None] * (0.86, 0.94, 1.0), 0, 1) * 255).astype(np.uint8)


def _fractal(
  noise: np.random.Generator,
  height: int,
  width: int,
  power: float,
  angle: float = 0.0,
  stretch: float = 1.0,
) -> np.ndarray:
  """Noise [height, width] of variance 1 whose spectrum falls with 1 / f^power; see `stretch`.

  Structures are longer by `stretch` in the direction of `angle`, in radians.
  """
  y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
  along = stretch * (x * np.cos(angle) + y * np.sin(angle))
  across = y * np.cos(angle) - x * np.sin(angle)
  falloff = np.maximum(np.hypot(along, across), 1 / max(height, width)) ** -power
  falloff[0, 0] = 0
  field = np.fft.irfft2(np.fft.rfft2(noise.normal(size=(height, width))) * falloff, (height, width))
  return field / field.std()
