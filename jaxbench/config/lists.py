"""Lists as people write them on a command line: names, specs and numbers."""

import fractions
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jaxbench import errors


def read_names(field: str, value: Any) -> tuple[str, ...]:
  """The names or specs of a field; commas outside brackets separate them.

  Args:
    field: its dotted name, for the message.
    value: a text, or several.

  Raises:
    InputError: it is something else, or one comes twice.
  """
  items = (value,) if isinstance(value, str) else tuple(value)
  if not all(isinstance(item, str) for item in items):
    raise errors.InputError(f"--config.{field}: {value!r} is not a list of names; write a,b")
  parts = [part.strip() for item in items for part in _split(item) if part.strip()]
  for place, part in enumerate(parts):
    if part in parts[:place]:
      raise _twice(field, part)
  return tuple(parts)


def _twice(field: str, what: Any) -> errors.InputError:
  return errors.InputError(f"--config.{field} names {what} twice")


def _split(text: str) -> Iterator[str]:
  start = depth = 0
  for position, character in enumerate(text):
    depth += (character in "([") - (character in ")]")
    if character == "," and depth == 0:
      yield text[start:position]
      start = position + 1
  yield text[start:]


def read_numbers(field: str, value: Any, kind: Callable[[Any], Any]) -> tuple[Any, ...]:
  """The numbers of a field, also as text: "4/255", "(1/255, 2/255)".

  Args:
    field: its dotted name, for the message.
    value: a number or text, or several.
    kind: what they become: int or float.

  Raises:
    InputError: one is no number or not whole where it must be, or one comes twice.
  """
  items: Sequence[Any] = value if isinstance(value, (tuple, list)) else (value,)
  numbers: list[Any] = []
  for item in items:
    parts = re.split(r"[,\s]+", item.strip("()[], ")) if isinstance(item, str) else [item]
    for part in parts:
      try:
        exact = fractions.Fraction(part)
      except (ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
        raise errors.InputError(
          f"--config.{field}: {part!r} is not a number; write 4/255,8/255 or (0.1,0.2)"
        ) from error
      if kind is int and exact.denominator != 1:
        raise errors.InputError(f"--config.{field}: {part!r} is not a whole number")
      if (number := kind(exact)) in numbers:
        raise _twice(field, part)
      numbers.append(number)
  return tuple(numbers)
