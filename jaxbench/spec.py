"""Specs: what a config calls an attack or a corruption, `pgd(steps=20, norm='linf')`.

The same canonical string keys records, resumption and tables.
"""

import ast
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from jaxbench import errors

# Annotates a parameter that came after runs were made without it: at its default it is not told,
# so that what is drawn and kept by the full text stays what it was.
LATER = "later"

# Of an annotation, what is written for it: a whole number is a number too.
_LITERALS: dict[Any, tuple[type, ...]] = {
  bool: (bool,),
  int: (int,),
  float: (int, float),
  str: (str,),
  types.NoneType: (types.NoneType,),
}
_WORDS = {
  bool: "True or False",
  int: "a whole number",
  float: "a number",
  str: "a text",
  types.NoneType: "None",
}


class Spec(NamedTuple):
  """A spec that has been looked up."""

  text: str  # Canonical: the arguments that were given, by name, in the function's order.
  full: str  # Canonical with defaults filled in, but for `LATER`: whatever can change a number.
  call: Callable[..., Any]
  arguments: dict[str, Any]  # Those that were given.


def resolve(text: str, table: Mapping[str, Callable[..., Any]], kind: str, **always: Any) -> Spec:
  """Looks up `text` in `table`.

  Args:
    text: a name, or a call with literal keyword arguments.
    table: functions by name; keyword-only parameters are what a spec may set.
    kind: what the table holds, for messages.
    always: arguments that are set whatever the text says.

  Raises:
    InputError: the text is not a spec, the name or an argument is unknown, or an argument is of
      another type than the function's annotation.
  """
  name, arguments = parse(text, kind)
  arguments |= always
  if name not in table:
    raise errors.unknown(kind, name, table)
  parameters = inspect.signature(table[name]).parameters.values()
  defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
  kinds = {p.name: p.annotation for p in parameters}
  later = {p.name for p in parameters if LATER in getattr(p.annotation, "__metadata__", ())}
  for argument in arguments:
    if argument not in defaults:
      raise errors.unknown(f"argument of {kind} {name}", argument, defaults)
    if not _fits(arguments[argument], kinds[argument]):
      said = f"{argument}={arguments[argument]!r}"
      raise errors.InputError(f"{kind} {text!r}: {said} must be {_named(kinds[argument])}")
  given = {key: arguments[key] for key in defaults if key in arguments}
  told = {
    key: value
    for key, value in (defaults | given).items()
    if key not in later or value != defaults[key]
  }
  return Spec(write(name, given), write(name, told), table[name], given)


def build(spec: Spec) -> Any:
  """Calls what a spec names.

  Raises:
    InputError: an argument has the wrong type or range.
  """
  try:
    return spec.call(**spec.arguments)
  except TypeError as error:
    raise errors.InputError(f"{spec.text!r}: {error}") from error


def parse(text: str, kind: str) -> tuple[str, dict[str, Any]]:
  """The name and the arguments of a spec, which need not be in any table.

  Raises:
    InputError: the text is not a spec.
  """
  try:
    node = ast.parse(text.strip(), mode="eval").body
    if isinstance(node, ast.Name):
      return node.id, {}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
      named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
      if len(named) == len(node.keywords):  # Else one is set twice.
        return node.func.id, named
  except (SyntaxError, ValueError):
    pass
  raise errors.InputError(
    f"{kind} {text!r} is not a name or a call with literal keyword arguments, like pgd(steps=20)"
  )


def _fits(value: Any, kind: Any) -> bool:
  """Whether a literal can be meant by a type; types that no literal has take any."""
  origin, inside = typing.get_origin(kind), typing.get_args(kind)
  if origin is Annotated:
    return _fits(value, inside[0])
  if origin in (typing.Union, types.UnionType):
    return any(_fits(value, one) for one in inside)
  if kind in _LITERALS:
    return isinstance(value, _LITERALS[kind]) and (kind is bool or not isinstance(value, bool))
  return True


def _named(kind: Any) -> str:
  """A type in words."""
  inside = typing.get_args(kind)
  if typing.get_origin(kind) is Annotated:
    return _named(inside[0])
  return " or ".join(map(_named, inside)) if inside else _WORDS.get(kind, str(kind))


def write(name: str, arguments: Mapping[str, Any]) -> str:
  """A spec as text, with the arguments in their order."""
  inside = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
  return f"{name}({inside})" if inside else name
