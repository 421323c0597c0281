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


def told(config: Any) -> Any:
  """As `dataclasses.asdict`, without what came later and has its default.

  What is known by a hash of that, as the rows of a run are, is still known by it.
  """
  if isinstance(config, tuple):
    return tuple(told(item) for item in config)
  if not dataclasses.is_dataclass(config):
    return config
  values = {field: getattr(config, field.name) for field in dataclasses.fields(config)}
  return {
    field.name: told(value)
    for field, value in values.items()
    if not (field.metadata.get(_LATER) and value == _default(field))
  }


def _default(field: dataclasses.Field) -> Any:
  made = field.default_factory
  return field.default if made is dataclasses.MISSING else made()
