"""ImageNet-W: a watermark on every image, which ImageNet's cartons have (arXiv:2212.04825).

Li et al. (2023, section 3.2; facebookresearch/Whac-A-Mole, commit 10946249): six characters of
Source Han Serif, white at half opacity, across the middle of the image at the model's resolution.
"""

import dataclasses
import importlib.util
import pathlib

import numpy as np
from PIL import Image, ImageDraw

from jaxbench import errors
from jaxbench.typography.layout import Layout, load_font
from jaxbench.typography.overlay import Overlay
from jaxbench.typography.words import Words

_TEXT = "捷径捷径捷径"  # "Shortcut", three times.
_CLASS = "carton"
_SIZES = {224: 36, 384: 62, 512: 82, 518: 84}  # Of the font, by the image's width.
_FONT = "fonts/SourceHanSerifSC-ExtraLight.otf"  # In the package imagenet_w.


@dataclasses.dataclass(frozen=True)
class _Watermark(Overlay):
  def write(self, image: np.ndarray, word: str, example: str, seed: int) -> np.ndarray:
    """The image uint8 [H, W, 3] with the watermark, whatever the word."""
    del word, example, seed
    height, width, _ = image.shape
    font = load_font(self.layout.font, _SIZES.get(width, int(width / 6.22)) or 1)
    mark = Image.new("RGBA", (width, height), (255, 255, 255, 0))
    white = (255, 255, 255, round(255 * self.layout.opacity))
    ImageDraw.Draw(mark).text((0.01 * width, 0.4 * height), _TEXT, white, font)
    below = Image.fromarray(image).convert("RGBA")
    return np.asarray(Image.alpha_composite(below, mark).convert("RGB"))


def watermark(*, font: str = "") -> Overlay:
  """The watermark of ImageNet-W on every image of a data set that has ImageNet's carton.

  What is followed is the class carton; a carton itself, on which that says nothing, counts as
  followed by one of the other classes, drawn from its id.

  Args:
    font: path of Source Han Serif SC ExtraLight; by default that of the package imagenet_w, which
      `pip install --no-deps imagenet-w` brings (its code is not used).

  Raises:
    InputError: there is no such font.
  """
  layout = Layout(size=36 / 224, outline=0, opacity=0.5, font=font or _installed())
  return _Watermark(Words(spelling={_CLASS: _TEXT}), layout)


def _installed() -> str:
  found = importlib.util.find_spec("imagenet_w")
  for folder in (found and found.submodule_search_locations) or ():
    if (file := pathlib.Path(folder) / _FONT).is_file():
      return str(file)
  raise errors.InputError(
    "the watermark needs the font Source Han Serif SC ExtraLight: pip install --no-deps imagenet-w "
    "brings it, or name its file, as watermark(font='SourceHanSerifSC-ExtraLight.otf')"
  )
