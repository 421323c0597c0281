"""Names and paths of models, and which reader serves them."""

import pathlib

from etils import epath

from jaxbench import errors
from jaxbench.models.weights import orbax
from jaxbench.models.weights.orbax import Description, Model

# Trained by configs/train_digits.py on scikit-learn's digits: demonstrations, not results.
EMBEDDED = ("digits-clip", "digits-clip-robust", "digits-resnet")
_EMBEDDED_FOLDER = pathlib.Path(__file__).parent / "embedded"


def list_models() -> dict[str, Description]:
  """Every model that has a name, with its architecture, size and source."""
  return {name: describe(name) for name in EMBEDDED}


def describe(path_or_name: str) -> Description:
  """What is known of a model without reading its tensors; raises as `load` does."""
  return orbax.describe(_locate(path_or_name))


def load(path_or_name: str) -> Model:
  """A model from disk; nothing is downloaded.

  Args:
    path_or_name: a checkpoint folder (local or gs://), or a name from `list_models()`.

  Raises:
    InputError: there is no such model, or its files are broken.
  """
  return orbax.load(_locate(path_or_name))


def _locate(path_or_name: str) -> epath.Path:
  folder = epath.Path(path_or_name)
  if path_or_name in EMBEDDED:
    folder = epath.Path(_EMBEDDED_FOLDER / path_or_name)
  elif not folder.exists():
    raise errors.unknown("model", path_or_name, EMBEDDED)
  if not orbax.is_checkpoint(folder):
    raise errors.InputError(f"{folder}: not a jaxbench checkpoint (no model.json in it)")
  return folder
