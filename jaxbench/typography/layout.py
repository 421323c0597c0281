"""How a word stands on an image: drawn by Pillow, in a font that is shipped."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from jaxbench import errors, tables

FONTS = ("DejaVuSans", "DejaVuSans-Bold")  # In third_party/.
PLACES = ("random", "top", "center", "bottom")


@dataclasses.dataclass(frozen=True)
class Layout:
  """How a word is written.

  Letters stay inside the image, and copies clear of one another. A font in which the word is too
  long for the image shrinks until it fits once; nobody can read it below some six pixels. Copies
  for which no room is left are not written.

  Raises:
    InputError: a value is out of range, or there is no such font or color.
  """

  size: float = 0.125  # Of the font: a share of the image's height; from 1 on, pixels.
  copies: int = 1
  place: str = "random"  # Uniform over all free places; elsewhere copies are lines of one block.
  color: str = "white"  # As Pillow's ImageColor takes it.
  outline: float = 0.05  # Width, a share of the font's size; 0 is none.
  outline_color: str = "black"
  opacity: float = 1.0  # Of letters and outline together.
  font: str = "DejaVuSans-Bold"  # From `FONTS`, or the path of a TrueType or OpenType file.

  def __post_init__(self):
    if not 0 < self.size < math.inf:
      raise errors.InputError(f"size must be above 0, not {self.size}")
    if not isinstance(self.copies, int) or self.copies < 1:
      raise errors.InputError(f"copies must be a whole number from 1 on, not {self.copies}")
    if self.place not in PLACES:
      raise errors.unknown("place", self.place, PLACES)
    if not 0 <= self.outline <= 1:
      raise errors.InputError(f"outline must be a share of the font's size, not {self.outline}")
    if not 0 <= self.opacity <= 1:
      raise errors.InputError(f"opacity must be 0 to 1, not {self.opacity}")
    for color in (self.color, self.outline_color):
      _check_color(color)
    load_font(self.font, 12)


class Box(NamedTuple):
  """Pixels of an image, the last row and column excluded."""

  left: int
  top: int
  right: int
  bottom: int


class _Line(NamedTuple):
  """A word in the size in which it fits, inside a box that holds all its ink."""

  text: str
  font: ImageFont.FreeTypeFont
  outline: int  # Pixels around the letters.
  left: int  # Of the box, where the pen starts at 0, 0.
  top: int
  width: int
  height: int

  def mask(self, outline: int) -> Image.Image:
    """How much of each pixel of the box is inked."""
    mask = Image.new("L", (self.width, self.height))
    start = (-self.left, -self.top)
    ImageDraw.Draw(mask).text(start, self.text, 255, self.font, stroke_width=outline)
    return mask


def draw(image: np.ndarray, word: str, layout: Layout, seed: int | Sequence[int]) -> np.ndarray:
  """Writes a word on one image.

  Args:
    image: uint8 [H, W, 3], RGB.
    word: one line of text.
    layout: how.
    seed: of the random places, as `numpy.random.default_rng` takes it.

  Returns:
    uint8 [H, W, 3]; outside `boxes` as it was.

  Raises:
    InputError: there is nothing to write or no room for it.
  """
  if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
    actual = f"{image.dtype} {list(image.shape)}"
    raise errors.InputError(f"an image to write on must be uint8 [H, W, 3], not {actual}")
  line = _fit(image.shape[:2], word, layout)
  clean = Image.fromarray(image)
  written = clean.copy()
  layers = [(layout.outline_color, line.mask(line.outline))] if line.outline else []
  layers.append((layout.color, line.mask(0)))
  for box in _place(image.shape[:2], line, layout, seed):
    for color, mask in layers:
      written.paste(color, box, mask)
  return np.array(Image.blend(clean, written, layout.opacity))


def boxes(
  shape: tuple[int, int], word: str, layout: Layout, seed: int | Sequence[int]
) -> list[Box]:
  """Where `draw` writes `word` on an image of `shape`, its height and width; the rest likewise."""
  return list(_place(shape, _fit(shape, word, layout), layout, seed))


def _place(
  shape: tuple[int, int], line: _Line, layout: Layout, seed: int | Sequence[int]
) -> Iterator[Box]:
  corners = _scatter if layout.place == "random" else _stack
  for top, left in corners(shape, line, layout, np.random.default_rng(seed)):
    yield Box(left, top, left + line.width, top + line.height)


def _scatter(
  shape: tuple[int, int], line: _Line, layout: Layout, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
  """Top left corners, each uniform over those that keep clear of the earlier copies.

  The free corners are listed, so nothing is drawn and rejected.
  """
  free = np.ones((shape[0] - line.height + 1, shape[1] - line.width + 1), bool)
  for _ in range(layout.copies):
    choices = np.flatnonzero(free)
    if not len(choices):
      return
    top, left = map(int, divmod(choices[rng.integers(len(choices))], free.shape[1]))
    yield top, left
    free[
      max(0, top - line.height + 1) : top + line.height,
      max(0, left - line.width + 1) : left + line.width,
    ] = False


def _stack(
  shape: tuple[int, int], line: _Line, layout: Layout, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
  """Top left corners of lines, a quarter of their height apart and from the image's edge."""
  gap = min(line.height // 4, shape[0] - line.height)
  copies = min(layout.copies, (shape[0] - gap) // (line.height + gap) or 1)
  spare = shape[0] - copies * (line.height + gap) + gap
  first = {"top": min(gap, spare), "center": spare // 2, "bottom": max(0, spare - gap)}
  for copy in range(copies):
    top = first[layout.place] + copy * (line.height + gap)
    yield top, (shape[1] - line.width) // 2


def _fit(shape: tuple[int, int], word: str, layout: Layout) -> _Line:
  """The word in the asked size, or in the one in which it fits into the image once."""
  text = " ".join(word.split())
  if not text:
    raise errors.InputError("there is no word to write")
  height, width = shape
  pixels = max(1, round(layout.size * (height if layout.size < 1 else 1)))
  while pixels:
    font, outline = load_font(layout.font, pixels), round(layout.outline * pixels)
    left, top, right, bottom = map(round, font.getbbox(text, stroke_width=outline))
    line = _Line(text, font, outline, left, top, right - left, bottom - top)
    if line.width <= width and line.height <= height:
      return line
    pixels = min(pixels - 1, int(pixels * min(width / line.width, height / line.height)))
  raise errors.InputError(f"there is no room for {text!r} on {width} x {height} pixels")


def _check_color(color: str) -> None:
  try:
    channels = ImageColor.getrgb(color)
  except ValueError as error:
    raise errors.InputError(f"color: {error}; write a name or #rrggbb") from error
  if len(channels) != 3:
    raise errors.InputError(f"color {color!r} has an opacity of its own; set the layout's")


@functools.lru_cache(maxsize=256)
def load_font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
  """A font in a size.

  Args:
    name: from `FONTS`, or a path.
    pixels: its size.

  Raises:
    InputError: there is no such font.
  """
  file = tables.path(f"{name}.ttf") if name in FONTS else pathlib.Path(name)
  if not file.is_file():  # Pillow would look for it among the fonts of this machine.
    shipped = ", ".join(FONTS)
    raise errors.InputError(f"font {name!r}: no such file, nor one that is shipped ({shipped})")
  try:
    return ImageFont.truetype(str(file), pixels, layout_engine=ImageFont.Layout.BASIC)
  except OSError as error:
    raise errors.InputError(f"font {name!r} cannot be read: {error}") from error
