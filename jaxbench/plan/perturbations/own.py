"""Attacks and corruptions of people's own, in place of a name: FILE.py:FUNCTION."""

import importlib
import pathlib
import re
from collections.abc import Callable
from typing import Any

from jaxbench import errors, spec, user_file

_OWN = re.compile(r"(?P<place>[^():]+):(?P<written>\w+(?:\(.*\))?)", re.DOTALL)


def find(text: str, kind: str) -> spec.Spec | None:
  """The spec of a function that `text` names in a file or module; None if it names none.

  Its `text` has the file's name without its folder; `full`, by which rows are known, a hash of
  the file and of what it imports from its folder.

  Args:
    text: "mine.py:strong(steps=5)"; keyword-only parameters are what it may set.
    kind: what it is to be, for messages.

  Raises:
    InputError: there is no such file or function, or it takes other arguments.
  """
  match = _OWN.fullmatch(text.strip())
  if match is None:
    return None
  place, written = match["place"], match["written"]
  name, _ = spec.parse(written, kind)
  file = place if place.endswith(".py") else _file(place)
  function = user_file.function(file, name)
  resolved = spec.resolve(written, {name: function}, kind)
  told, digest = pathlib.Path(file).name, user_file.digest(file)[:16]
  return spec.Spec(
    f"{told}:{resolved.text}",
    f"{told}:{resolved.full}@{digest}",
    _guarded(function, file, f"{name}()"),
    resolved.arguments,
  )


def _file(module: str) -> str:
  try:
    return str(importlib.import_module(module).__file__)
  except ImportError as error:
    raise errors.InputError(f"{module}: {errors.reason(error)}; or name a file, mine.py") from error


def _guarded(function: Callable[..., Any], file: str, what: str) -> Callable[..., Any]:
  """The same; what it raises is one line."""

  def call(*inputs: Any, **arguments: Any) -> Any:
    with user_file.told(file, what):
      return function(*inputs, **arguments)

  return call
