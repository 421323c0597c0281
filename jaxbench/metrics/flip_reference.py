"""Flip probabilities and top-5 distances of a reference model, from a file of the user's.

AlexNet's, by which published rates are divided, are in no public source that could be found.
"""

import json
import math

from etils import epath

from jaxbench import errors
from jaxbench.metrics.stability import SEQUENCES, Flips


def read_flip_reference(path: epath.PathLike) -> dict[str, Flips]:
  """Reads {"brightness": {"flip_probability": 0.1, "top5_distance": 1.2}, ...} from JSON.

  Raises:
    InputError: the file cannot be read, or one of the ten sequences is not in it or not positive.
  """
  try:
    table = json.loads(epath.Path(path).read_text())
    reference = {
      name: Flips(*(float(table[name][field]) for field in Flips._fields)) for name in table
    }
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise errors.InputError(
      f"flip_reference {path}: {type(error).__name__}: {error}; it must be the name of a model of "
      'the run, or JSON like {"tilt": {"flip_probability": 0.1, "top5_distance": 1.2}, ...}'
    ) from error
  for name in SEQUENCES:
    if not all(0 < value < math.inf for value in reference.get(name, (0,))):
      raise errors.InputError(f"flip_reference {path}: {name} is missing, or not above 0")
  return reference
