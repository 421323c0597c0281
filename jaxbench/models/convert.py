"""Writes a model of any format as a jaxbench checkpoint.

  python -m jaxbench.models.convert SRC DST [--visual=TOWER] [--key=NAME] [--architecture=NAME]
    [--image_size=N] [--download]
    [--mean=R,G,B] [--std=R,G,B] [--preprocess="preprocess(size=224, resize=256)"]

The copy loads faster, carries its configuration, tokenizer and provenance (source and sha256),
and is read from gs:// too.
"""

import sys
from collections.abc import Sequence

from absl import flags
from etils import epath

from jaxbench import errors, program, spec
from jaxbench.models import catalog
from jaxbench.models.foreign.custom import Custom
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import orbax

_FLAGS = flags.FlagValues()
_ARCHITECTURE = flags.DEFINE_string(
  "architecture",
  None,
  "What bare tensors are, by their source; see models.load.",
  flag_values=_FLAGS,
)
_VISUAL = flags.DEFINE_string(
  "visual",
  None,
  "A vision tower alone, to put on SRC, whose text tower it shares.",
  flag_values=_FLAGS,
)
_KEY = flags.DEFINE_string(
  "key",
  None,
  "Which network of a file of several, that of --visual if there is one; see models.load.",
  flag_values=_FLAGS,
)
_IMAGE_SIZE = flags.DEFINE_integer(
  "image_size",
  None,
  "Pixels, if not those of the training: position embeddings are interpolated.",
  flag_values=_FLAGS,
)
_DOWNLOAD = flags.DEFINE_bool(
  "download", False, "Fetch a repository that is not on this disk.", flag_values=_FLAGS
)
_MEAN = flags.DEFINE_list(
  "mean", None, "Of bare tensors: what is taken from images in [0, 1].", flag_values=_FLAGS
)
_STD = flags.DEFINE_list(
  "std", None, "Of bare tensors: what they are divided by then.", flag_values=_FLAGS
)
_PREPROCESS = flags.DEFINE_string(
  "preprocess",
  None,
  "How an image file becomes the input: bare tensors do not tell it, of a folder it replaces what "
  "its files say; as in \"preprocess(size=224, resize=256, interpolation='bicubic', squash=False, "
  "margin='floor')\".",
  flag_values=_FLAGS,
)


def _numbers(flag: flags.FlagHolder[list[str] | None]) -> tuple[float, ...] | None:
  if flag.value is None:
    return None
  try:
    return tuple(map(float, flag.value))
  except ValueError as error:
    raise errors.InputError(f"--{flag.name}={','.join(flag.value)} is not R,G,B") from error


def _preprocess(
  *,
  size: int,
  resize: int | None = None,
  interpolation: str = "bicubic",
  squash: bool = False,
  margin: str | None = None,
) -> Preprocess:
  return Preprocess(size, resize, interpolation, squash, margin)


def _options() -> dict[str, object]:
  text = _PREPROCESS.value
  table = {"preprocess": _preprocess}
  return {
    "visual": _VISUAL.value,
    "key": _KEY.value,
    "architecture": _ARCHITECTURE.value,
    "image_size": _IMAGE_SIZE.value,
    "download": _DOWNLOAD.value,
    "mean": _numbers(_MEAN),
    "std": _numbers(_STD),
    "preprocess": None if text is None else spec.build(spec.resolve(text, table, "preprocess")),
  }


def convert(source: str, destination: str, **options: object) -> str:
  """Writes the model `source` to the new folder `destination`; returns one line that tells it.

  Raises:
    InputError: the source cannot be loaded, or the destination exists.
  """
  folder = epath.Path(destination)
  if folder.exists():
    raise errors.InputError(f"{destination} exists already; nothing is overwritten")
  described = catalog.describe(source, **options)  # type: ignore[arg-type]
  model = catalog.load(source, **options)  # type: ignore[arg-type]
  if isinstance(model, Custom):
    raise errors.InputError(f"{source}: only models of this package are converted")
  orbax.save(model, folder, f"{described.source}, sha256 {described.sha256}")
  return f"{destination}: {described.architecture}, {described.parameters:,} parameters"


def _convert(arguments: Sequence[str]) -> int:
  if len(arguments) != 2:
    raise errors.InputError("usage: python -m jaxbench.models.convert SRC DST; see --help")
  source, destination = arguments
  print(convert(source, destination, **_options()))
  return 0


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  return program.run("jaxbench.models.convert", __doc__, _FLAGS, _convert, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
