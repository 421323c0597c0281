"""Writes a word on one image, to be looked at.

  python -m jaxbench.typography IMAGE --word=dog --out=out.png [--overlay=SPEC] [--seed=N]

SPEC is what a config takes: "text(size=0.2, copies=3, place='top')", imagenet_t, cifar10_t.
"""

import pathlib
import sys

import numpy as np
from absl import app, flags
from PIL import Image

from jaxbench import errors, spec, typography

_WORD = flags.DEFINE_string("word", None, "What to write.")
_OUT = flags.DEFINE_string("out", "out.png", "The file to write; its suffix names the format.")
_OVERLAY = flags.DEFINE_string("overlay", "text", "How; its rule for the word is left aside.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the random places.", lower_bound=0)


def main(arguments: list[str]) -> int:
  """Command line; wrong input is one line and exit status 2."""
  try:
    if len(arguments) != 2 or not _WORD.value:
      raise errors.InputError("usage: python -m jaxbench.typography IMAGE --word=dog --out=out.png")
    overlay = spec.build(spec.resolve(_OVERLAY.value, typography.OVERLAYS, "overlay"))
    with Image.open(arguments[1]) as picture:
      image = np.asarray(picture.convert("RGB"))
    example = pathlib.Path(arguments[1]).stem
    written = overlay.write(image, _WORD.value, example, _SEED.value)
    Image.fromarray(written).save(_OUT.value)
  except (errors.InputError, OSError, ValueError) as error:
    print(f"jaxbench.typography: {error}", file=sys.stderr)
    return 2
  print(f"picture: {_OUT.value}")
  return 0


if __name__ == "__main__":
  app.run(main)
