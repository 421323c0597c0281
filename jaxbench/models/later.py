"""Fields that configurations got after checkpoints had been written without them."""

import dataclasses
from typing import Any, TypeVar

T = TypeVar("T")


def later(default: T) -> T:
  """A field of a dataclass; a model.json that lacks it means `default`, all that was built then."""
  field: Any = dataclasses.field(default=default, metadata={"later": True})
  return field


def needed(kind: Any) -> set[str]:
  """The fields of a dataclass that no model.json may lack."""
  return {field.name for field in dataclasses.fields(kind) if not field.metadata.get("later")}
