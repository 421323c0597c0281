"""Fields that a configuration has got since checkpoints were written with it."""

import dataclasses
from typing import Any

_LATER = "later"


def later(default: Any) -> Any:
  """A field of a dataclass with a default, which is its value where a checkpoint lacks it.

  Of every other field a checkpoint must tell: a default would be a guess.
  """
  return dataclasses.field(default=default, metadata={_LATER: True})


def needed(kind: Any) -> set[str]:
  """Names of the fields that no checkpoint may lack."""
  return {field.name for field in dataclasses.fields(kind) if not field.metadata.get(_LATER)}
