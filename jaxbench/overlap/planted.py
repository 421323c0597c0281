"""Copies made of images on purpose, to see which detectors find them, and from where on."""

import dataclasses
import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

_QUALITY = 60  # Of JPEG.
_KEPT = 0.8  # Of both sides of a crop, from the centre.


def _encoded_again(image: Image.Image) -> Image.Image:
  buffer = io.BytesIO()
  image.save(buffer, "JPEG", quality=_QUALITY)
  return Image.open(buffer).convert("RGB")


def _resized(image: Image.Image) -> Image.Image:
  return image.resize([max(1, side // 2) for side in image.size], Image.Resampling.BILINEAR)


def _cropped(image: Image.Image) -> Image.Image:
  width, height = image.size
  left, top = (round(side * (1 - _KEPT) / 2) for side in image.size)
  return image.crop((left, top, max(left + 1, width - left), max(top + 1, height - top)))


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
  "re-encoded": _encoded_again,  # JPEG of quality 60.
  "resized": _resized,  # To half of both sides.
  "cropped": _cropped,  # To the central 80 % of both sides.
  "mirrored": ImageOps.mirror,  # Left to right.
}


@dataclasses.dataclass(frozen=True)
class Change:
  """Makes a copy of one kind, and hands it on: picklable."""

  kind: str  # Of KINDS.
  then: Callable[[np.ndarray], np.ndarray] = np.asarray

  def __call__(self, image: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] -> what `then` makes of the copy."""
    return self.then(np.asarray(KINDS[self.kind](Image.fromarray(image))))
