"""Writes a model of any format as a jaxbench checkpoint.

  python -m jaxbench.models.convert SRC DST [--architecture=NAME] [--image_size=N] [--download]

The copy loads faster, carries its configuration, tokenizer and provenance (source and sha256),
and is read from gs:// too.
"""

import sys

from absl import app, flags, logging
from etils import epath

from jaxbench import errors
from jaxbench.models import catalog
from jaxbench.models.weights import orbax

_ARCHITECTURE = flags.DEFINE_string(
  "architecture", None, "What bare tensors are; see models.list_models()."
)
_IMAGE_SIZE = flags.DEFINE_integer(
  "image_size", None, "Pixels, if not those of the training: position embeddings are interpolated."
)
_DOWNLOAD = flags.DEFINE_bool("download", False, "Fetch a repository that is not on this disk.")


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
  orbax.save(model, folder, f"{described.source}, sha256 {described.sha256}")
  return f"{destination}: {described.architecture}, {described.parameters:,} parameters"


def main(argv: list[str]) -> None:
  """Command line; wrong input is one line and exit status 2."""
  logging.set_verbosity(logging.WARNING)
  if len(argv) != 3:
    sys.exit(f"usage: {__doc__.strip().splitlines()[2].strip()}")
  options = {
    "architecture": _ARCHITECTURE.value,
    "image_size": _IMAGE_SIZE.value,
    "download": _DOWNLOAD.value,
  }
  try:
    print(convert(argv[1], argv[2], **options))
  except errors.InputError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
  app.run(main)
