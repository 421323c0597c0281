"""From an image of any size to a model's input: resize, then centre crop, as Pillow does it."""

import dataclasses

import numpy as np
from PIL import Image

from jaxbench import errors


@dataclasses.dataclass(frozen=True)
class Preprocess:
  """The pixel pipeline in front of a model; part of every cell's identity.

  The short side is resized to `resize` (by default `size`) with Pillow's antialiased filter, on
  8 bits; then the centre `size` x `size` is cut out. CLIP resizes to the crop itself, supervised
  ImageNet models mostly to 256 for a crop of 224. With `squash` both sides become `resize`, as
  SigLIP and Google's ViT have it.

  Images that are not RGB are converted as torchvision's and Hugging Face's loaders do it, with
  Pillow's `convert("RGB")`, before anything else: alpha is dropped, a palette resolved, CMYK
  and grey converted, 16 bits clipped at 255; the EXIF orientation is not applied.
  """

  size: int
  resize: int | None = None
  interpolation: str = "bicubic"
  squash: bool = False

  def __post_init__(self) -> None:
    sizes = (self.size,) if self.resize is None else (self.size, self.resize)
    if not all(isinstance(size, int) and size > 0 for size in sizes):
      raise errors.InputError(f"{self} needs sizes that are whole numbers of pixels")
    if self.interpolation.upper() not in Image.Resampling.__members__:
      filters = [name.lower() for name in Image.Resampling.__members__]
      raise errors.unknown("interpolation", self.interpolation, filters)

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
    # Odd margins as torchvision rounds them, and OpenAI's CLIP with it; transformers floors.
    left, top = round((width - self.size) / 2), round((height - self.size) / 2)
    return np.asarray(resized.crop((left, top, left + self.size, top + self.size)))
