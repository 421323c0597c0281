"""Draws all corruptions of one image at all severities, to be looked at.

python -m jaxbench.corruptions IMAGE --out=sheet.png [--frost=FOLDER] [--variant=imagenet]
"""

import functools
import pathlib
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from matplotlib import figure
from PIL import Image, ImageOps

from jaxbench import corruptions, errors, program
from jaxbench.storage import places

_FLAGS = flags.FlagValues()
_OUT = flags.DEFINE_string(
  "out", "sheet.png", "The file to write; its suffix names the format.", flag_values=_FLAGS
)
_FROST = flags.DEFINE_string(
  "frost", None, "Folder with the photographs of frost.", flag_values=_FLAGS
)
_SIZE = flags.DEFINE_integer(
  "size", 224, "Side of the square cut from the image.", lower_bound=32, flag_values=_FLAGS
)
_VARIANT = flags.DEFINE_enum(
  "variant", "imagenet", corruptions.VARIANTS, "Whose constants.", flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer(
  "seed", 0, "Of the randomness.", lower_bound=0, upper_bound=2**32 - 1, flag_values=_FLAGS
)


def _textures() -> corruptions.Textures | errors.InputError:
  side = _SIZE.value
  try:
    return corruptions.frost_textures(_FROST.value, variant=_VARIANT.value, height=side, width=side)
  except errors.InputError as error:
    if _FROST.value is not None:
      raise
    return error


def _corrupted(image: jax.Array, name: str, textures: Any) -> np.ndarray:
  """float32 [5, H, W, 3], one program for all."""
  corrupt = functools.partial(
    corruptions.corrupt,
    name=name,
    variant=_VARIANT.value,
    textures=textures if corruptions.CORRUPTIONS[name].photographs else None,
  )
  program = jax.jit(lambda key, image, severity: corrupt(key, image, severity=severity))
  key = jax.random.key(_SEED.value)
  return np.stack([program(key, image, jnp.int32(severity)) for severity in range(1, 6)])


def _sheet(image: jax.Array) -> figure.Figure:
  names = corruptions.NAMES + corruptions.EXTRA_NAMES
  sheet = figure.Figure(figsize=(5 * 1.6 + 1, len(names) * 1.6 + 0.5), layout="constrained")
  cells = sheet.subplots(len(names), 5)
  textures = _textures()
  for row, name in zip(cells, names, strict=True):
    row[0].set_ylabel(name.replace("_", "\n"), rotation=0, ha="right", va="center")
    for cell in row:
      cell.set(xticks=[], yticks=[])
    if corruptions.CORRUPTIONS[name].photographs and isinstance(textures, errors.InputError):
      _explain(row, str(textures))
      continue
    for cell, picture in zip(row, _corrupted(image, name, textures), strict=True):
      cell.imshow(picture)
  for severity, cell in enumerate(cells[0], start=1):
    cell.set_title(f"severity {severity}", size=10)
  return sheet


def _explain(row: np.ndarray, reason: str) -> None:
  """Writes across a row of cells why they are empty."""
  for cell in row:
    cell.set_frame_on(False)
  text = row[2].text(0.5, 0.5, textwrap.fill(reason, 70), ha="center", va="center")
  text.set_in_layout(False)


def _require_format(out: str) -> None:
  """Raises InputError for a file whose suffix names no format of pictures."""
  formats = figure.Figure().canvas.get_supported_filetypes()
  suffix = pathlib.Path(out).suffix.removeprefix(".").lower()
  if suffix not in formats:
    raise errors.unknown(f"format of --out={out}:", suffix, formats)


def _draw(arguments: Sequence[str]) -> int:
  if len(arguments) != 1:
    raise errors.InputError("usage: python -m jaxbench.corruptions IMAGE --out=sheet.png")
  _require_format(_OUT.value)
  places.for_file("--out", _OUT.value)
  with Image.open(arguments[0]) as picture:
    square = ImageOps.fit(picture.convert("RGB"), (_SIZE.value, _SIZE.value))
  _sheet(jnp.asarray(square, jnp.float32) / 255).savefig(_OUT.value, dpi=140)
  print(f"picture: {_OUT.value}")
  return 0


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  return program.run("jaxbench.corruptions", __doc__, _FLAGS, _draw, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
