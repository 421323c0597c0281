"""The embedded shift: digits of a printer's font, for models that know handwritten ones."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxbench import tables
from jaxbench.data.arrays import Arrays
from jaxbench.data.digits import CLASS_NAMES

_FACES = ("DejaVuSans", "DejaVuSans-Bold")
_SIDE, _SCALE = 8, 8  # Pixels of an image; drawn so many times larger, then averaged.
_HEIGHTS = (54, 60, 66)  # Of the font, in pixels of the large image.
_TILTS = (-12, 0, 12)  # Degrees.
_SHIFTS = (-4, 4)  # To the right, in pixels of the large image.


def printed() -> Arrays:
  """360 printed digits, 36 a class, as the scans are: 8x8 pixels, white on black, in 17 greys.

  Two faces in three sizes, tilted and shifted; no randomness. To a model trained on the scans they
  are what renditions (ImageNet-R) are to one trained on photographs.
  """
  settings = [
    (face, height, tilt, shift)
    for face in _FACES
    for height in _HEIGHTS
    for tilt in _TILTS
    for shift in _SHIFTS
  ]
  images = np.stack([_draw(str(digit), *each) for digit in range(10) for each in settings])
  labels = np.repeat(np.arange(10), len(settings))
  ids = [f"printed/{label}/{number:02d}" for label in range(10) for number in range(len(settings))]
  return Arrays(np.repeat(images[..., None], 3, axis=-1), labels, CLASS_NAMES, ids)


def _draw(digit: str, face: str, height: int, tilt: int, shift: int) -> np.ndarray:
  """One digit, uint8 [8, 8]."""
  side = _SIDE * _SCALE
  font = ImageFont.truetype(str(tables.path(f"{face}.ttf")), height)
  large = Image.new("L", (side, side))
  center = (side / 2 + shift, side / 2)
  ImageDraw.Draw(large).text(center, digit, 255, font, anchor="mm")
  turned = np.asarray(large.rotate(tilt, Image.Resampling.BILINEAR), np.float32)
  means = turned.reshape(_SIDE, _SCALE, _SIDE, _SCALE).mean(axis=(1, 3))
  return np.rint(np.rint(means * 16 / 255) * 255 / 16).astype(np.uint8)
