"""From an image of any size to a model's input: resize, then centre crop, as Pillow does it."""

import dataclasses

import numpy as np
from PIL import Image

from jaxbench import errors
from jaxbench.models.later import later, told


@dataclasses.dataclass(frozen=True, repr=False)
class Preprocess:
  """The pixel pipeline in front of a model; part of every cell's identity.

  The short side is resized to `resize` (by default `size`) with Pillow's antialiased filter, on
  8 bits; then the centre `size` x `size` is cut out. CLIP resizes to the crop itself, supervised
  ImageNet models mostly to 256 for a crop of 224. With `squash` both sides become `resize`, as
  SigLIP and Google's ViT have it.

  What the crop leaves of an odd margin is one pixel more on one side than on the other: rounded to
  the even half as torchvision does, and OpenAI's CLIP, open_clip and timm with it; or with `margin`
  "floor" always more at the right and bottom, as transformers does.

  Images that are not RGB are converted as torchvision's and Hugging Face's loaders do it, with
  Pillow's `convert("RGB")`, before anything else: alpha is dropped, a palette resolved, CMYK
  and grey converted, 16 bits clipped at 255; the EXIF orientation is not applied.
  """

  size: int
  resize: int | None = None
  interpolation: str = "bicubic"
  squash: bool = False
  margin: str | None = later(None)  # "floor", or None.

  def __post_init__(self) -> None:
    sizes = (self.size,) if self.resize is None else (self.size, self.resize)
    if not all(isinstance(size, int) and size > 0 for size in sizes):
      raise errors.InputError(f"{self} needs sizes that are whole numbers of pixels")
    if self.interpolation.upper() not in Image.Resampling.__members__:
      filters = [name.lower() for name in Image.Resampling.__members__]
      raise errors.unknown("interpolation", self.interpolation, filters)
    if self.margin not in (None, "floor"):
      raise errors.InputError(f"unknown margin {self.margin!r}; it is None or 'floor'")

  def __repr__(self) -> str:
    """What came later shows where it is said: caches and embeddings are known by this text."""
    fields = ", ".join(f"{name}={value!r}" for name, value in told(self).items())
    return f"Preprocess({fields})"

  def __call__(self, image: np.ndarray | Image.Image) -> np.ndarray:
    """uint8 [h, w, 3], or a Pillow image of any mode -> uint8 [size, size, 3]."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    short = self.resize or self.size
    least = min(picture.size)
    width, height = (
      short if self.squash or side == least else int(short * side / least) for side in picture.size
    )
    resized = picture.resize((width, height), Image.Resampling[self.interpolation.upper()])
    left, top = self.before(width, self.size), self.before(height, self.size)
    return np.asarray(resized.crop((left, top, left + self.size, top + self.size)))

  def before(self, side: int, size: int) -> int:
    """How many of `side` pixels are in front of the `size` in the centre."""
    return (side - size) // 2 if self.margin == "floor" else round((side - size) / 2)
