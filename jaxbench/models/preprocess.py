"""From an image of any size to a model's input: resize, then centre crop, as Pillow does it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image


@dataclasses.dataclass(frozen=True)
class Preprocess:
  """The pixel pipeline in front of a model; part of every cell's identity.

  The short side is resized to `size / crop` with Pillow's antialiased filter, on 8 bits; then the
  centre `size` x `size` is cut out. CLIP resizes to the crop itself (crop=1), supervised ImageNet
  models mostly to 256 for a crop of 224 (crop=0.875).
  """

  size: int
  interpolation: str = "bicubic"
  crop: float = 1.0

  def __call__(self, image: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] -> uint8 [size, size, 3]."""
    picture = Image.fromarray(image)
    short = round(self.size / self.crop)
    scale = short / min(picture.size)
    width, height = (max(short, int(side * scale)) for side in picture.size)
    resized = picture.resize((width, height), Image.Resampling[self.interpolation.upper()])
    left, top = round((width - self.size) / 2), round((height - self.size) / 2)
    return np.asarray(resized.crop((left, top, left + self.size, top + self.size)))


def standardize(images: jax.Array, mean: tuple[float, ...], std: tuple[float, ...]) -> jax.Array:
  """float32 [B, H, W, 3] in [0, 1] -> (images - mean) / std per channel, inside the model."""
  shift, scale = (jnp.asarray(x, images.dtype).reshape(1, 1, 1, -1) for x in (mean, std))
  return (images - shift) / scale
