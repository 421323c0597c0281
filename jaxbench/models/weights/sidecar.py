"""The JSON files beside weights, and the fields that a model cannot be built without."""

import json
import math
import pathlib
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from jaxbench import errors


class Unread(NamedTuple):
  """What a format says beside what its reader reads; see `Fields.finish`.

  A field that is neither read nor in here is refused by name: nobody has checked what it does.
  """

  irrelevant: Set[str]  # To what one image or text gives in a forward pass.
  fixed: Mapping[str, tuple[Any, ...]]  # The values with which the format computes what we do.


NOTHING = Unread(frozenset(), {})


def words(text: str) -> frozenset[str]:
  """Names of fields, out of a text that fits the page."""
  return frozenset(text.split())


class Fields:
  """A JSON object whose missing, wrong or unread fields are one clear line."""

  def __init__(self, path: pathlib.Path, content: dict[str, Any], place: str = ""):
    self.path, self.content, self.place = path, content, place
    self._read: set[str] = set()

  def get(self, key: str, default: Any) -> Any:
    """The field `key`; where it is absent or null, what the format says that means."""
    self._read.add(key)
    value = self.content.get(key)
    return default if value is None else value

  def need(self, key: str) -> Any:
    """The field `key`.

    Raises:
      InputError: it is absent.
    """
    if self.content.get(key) is None:
      raise self.error(f"lacks {key!r}, without which the model is not known")
    return self.get(key, None)

  def skip(self, *keys: str) -> None:
    """Fields that what has been read makes irrelevant."""
    self._read.update(keys)

  def finish(self, unread: Unread) -> None:
    """Says that all is read that changes a number.

    Raises:
      InputError: a field is neither read, nor irrelevant, nor has a value that we build.
    """
    for key, value in self.content.items():
      if value is None or key in self._read or key in unread.irrelevant:
        continue
      if key not in unread.fixed:
        raise self.error(f"{key!r} is set to {value!r}: it is not known here what that changes")
      allowed = unread.fixed[key]
      if not any(value == same and type(value) is type(same) for same in allowed):
        supported = ", ".join(map(repr, allowed))
        raise self.error(f"{key!r} is set to {value!r}: not supported; supported is {supported}")

  def sub(self, key: str) -> "Fields":
    """The object in field `key`, or an empty one."""
    value = self.get(key, {})
    if not isinstance(value, dict):
      raise self.error(f"{key!r} is {value!r}, not an object")
    return Fields(self.path, value, f"{self.place}{key}: ")

  def error(self, message: str) -> errors.InputError:
    """An error that names this file and the object in it."""
    return errors.InputError(f"{self.path}: {self.place}{message}")

  def choose(self, key: str, table: Mapping[Any, Any], default: Any = None) -> Any:
    """What `table` says of the field `key`.

    Raises:
      InputError: the value is not in the table, or absent and without default.
    """
    value = self.need(key) if default is None else self.get(key, default)
    if isinstance(value, list | dict) or value not in table:
      supported = ", ".join(map(str, table))
      raise self.error(f"{key} {value!r} is not supported; supported are {supported}")
    return table[value]

  def count(self, key: str, default: int | None = None) -> int:
    """A whole number above 0."""
    value = self.need(key) if default is None else self.get(key, default)
    if not _is_count(value):
      raise self.error(f"{key} is {value!r}, not a whole number above 0")
    return value

  def whole(self, key: str, default: int) -> int:
    """A whole number, 0 among them."""
    value = self.get(key, default)
    if (value != 0 and not _is_count(value)) or isinstance(value, bool):
      raise self.error(f"{key} is {value!r}, not a whole number")
    return int(value)

  def counts(self, key: str, default: list[int], zeros: bool = False) -> tuple[int, ...]:
    """Whole numbers above 0, or not below, at least one."""
    value = self.get(key, default)
    counts = value if isinstance(value, list) else []
    if not counts or not all(_is_count(each) or (zeros and each == 0) for each in counts):
      raise self.error(
        f"{key} is {value!r}, not a list of whole numbers{'' if zeros else ' above 0'}"
      )
    return tuple(counts)

  def side(self, key: str, default: Any = None) -> int:
    """Pixels of a square: a number, [n, n], or an object with height and width."""
    value = self.need(key) if default is None else self.get(key, default)
    sides = value
    if isinstance(value, dict) and set(value) == {"height", "width"}:
      sides = list(value.values())
    first, second = sides if isinstance(sides, list) and len(sides) == 2 else (sides, sides)
    if not _is_count(first) or first != second:
      raise self.error(f"{key} {value!r} is not a square of whole pixels")
    return first

  def number(self, key: str, default: float) -> float:
    """A finite number."""
    value = self.get(key, default)
    if not _is_number(value):
      raise self.error(f"{key} is {value!r}, not a number")
    return value

  def flag(self, key: str, default: bool) -> bool:
    """True or false."""
    value = self.get(key, default)
    if not isinstance(value, bool):
      raise self.error(f"{key} is {value!r}, not true or false")
    return value

  def triple(self, key: str) -> tuple[float, float, float]:
    """Three numbers, one per channel; one number stands for three."""
    value = self.need(key)
    numbers = value if isinstance(value, list) else [value] * 3
    if len(numbers) != 3 or not all(map(_is_number, numbers)):
      raise self.error(f"{key} is {value!r}, not three numbers, one per channel")
    red, green, blue = map(float, numbers)
    return (red, green, blue)

  def deviations(self, key: str) -> tuple[float, float, float]:
    """A triple of numbers above 0."""
    value = self.triple(key)
    if min(value) <= 0:
      raise self.error(f"{key} is {list(value)}: images cannot be divided by it")
    return value


def _is_number(value: object) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
  return isinstance(value, int) and not isinstance(value, bool) and value > 0


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
