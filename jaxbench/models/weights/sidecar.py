"""The JSON files beside weights, and the fields that a model cannot be built without."""

import json
import pathlib
from typing import Any

from jaxbench import errors


class Fields:
  """A JSON object whose missing or wrong fields are one clear line."""

  def __init__(self, path: pathlib.Path, content: dict[str, Any]):
    self.path, self.content = path, content

  def get(self, key: str, default: Any) -> Any:
    """The field `key`; where it is absent or null, what the format says that means."""
    value = self.content.get(key)
    return default if value is None else value

  def need(self, key: str) -> Any:
    """The field `key`.

    Raises:
      InputError: it is absent.
    """
    if self.content.get(key) is None:
      raise self.error(f"lacks {key!r}, without which the model is not known")
    return self.content[key]

  def sub(self, key: str) -> "Fields":
    """The object in field `key`, or an empty one."""
    return Fields(self.path, self.get(key, {}))

  def error(self, message: str) -> errors.InputError:
    """An error that names this file."""
    return errors.InputError(f"{self.path}: {message}")

  def choose(self, key: str, value: Any, table: dict[Any, Any]) -> Any:
    """What `table` says of `value`, found in field `key`.

    Raises:
      InputError: the value is not in the table.
    """
    if value not in table:
      known = ", ".join(map(str, table))
      raise self.error(f"{key} {value!r} is not supported; supported are {known}")
    return table[value]

  def triple(self, key: str) -> tuple[float, float, float]:
    """Three numbers, one per channel."""
    value = self.need(key)
    red, green, blue = value if isinstance(value, list) else [value] * 3
    return (red, green, blue)


def read(path: pathlib.Path) -> Fields:
  """The object in the JSON file `path`.

  Raises:
    InputError: it is missing or not a JSON object.
  """
  try:
    content = json.loads(path.read_text())
  except FileNotFoundError as error:
    raise errors.InputError(
      f"{path} is missing: without it the model's configuration is not known; put it there, it "
      "comes from the place that the weights come from"
    ) from error
  except (OSError, ValueError) as error:
    raise errors.InputError(f"{path}: not JSON ({error})") from error
  if not isinstance(content, dict):
    raise errors.InputError(f"{path}: not a JSON object")
  return Fields(path, content)


def weights(folder: pathlib.Path, *names: str) -> pathlib.Path:
  """The first of `names` that is in `folder`.

  Raises:
    InputError: there is none.
  """
  for name in names:
    if (folder / name).exists():
      return folder / name
  raise errors.InputError(f"{folder}: has no weights; looked for {', '.join(names)}")
