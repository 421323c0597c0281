"""Writes a word on one image, to be looked at.

  python -m jaxbench.typography IMAGE --word=dog --out=out.png [--overlay=SPEC] [--seed=N]

SPEC is what a config takes: "text(size=0.2, copies=3, place='top')", imagenet_t, cifar10_t.
"""

import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from absl import flags
from PIL import Image

from jaxbench import errors, program, spec, typography

_FLAGS = flags.FlagValues()
_WORD = flags.DEFINE_string("word", None, "What to write.", flag_values=_FLAGS)
_OUT = flags.DEFINE_string(
  "out", "out.png", "The file to write; its suffix names the format.", flag_values=_FLAGS
)
_OVERLAY = flags.DEFINE_string(
  "overlay", "text", "How; its rule for the word is left aside.", flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer(
  "seed", 0, "Of the random places.", lower_bound=0, upper_bound=2**32 - 1, flag_values=_FLAGS
)


def _write(arguments: Sequence[str]) -> int:
  if len(arguments) != 1 or not _WORD.value:
    raise errors.InputError("usage: python -m jaxbench.typography IMAGE --word=dog --out=out.png")
  overlay = spec.build(spec.resolve(_OVERLAY.value, typography.OVERLAYS, "overlay"))
  with Image.open(arguments[0]) as picture:
    image = np.asarray(picture.convert("RGB"))
  written = overlay.write(image, _WORD.value, pathlib.Path(arguments[0]).stem, _SEED.value)
  try:
    Image.fromarray(written).save(_OUT.value)
  except ValueError as error:  # A suffix that names no format.
    raise errors.InputError(f"--out={_OUT.value}: {error}") from error
  print(f"picture: {_OUT.value}")
  return 0


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  return program.run("jaxbench.typography", __doc__, _FLAGS, _write, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
