"""Settings that may differ between data sets: an entry `DATA=VALUE` holds for that one alone.

In a file they may be a dictionary, with "*" for the others: `by_data` makes the entries of it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxbench.config.lists import read_names
from jaxbench.config.schema import Config
from jaxbench.records import directions

_NAME = re.compile(r"[\w.+-]+")  # Of a published data set: neither a path nor a spec.


def by_data(mapping: Mapping[str, str | Sequence[str]]) -> tuple[str, ...]:
  """The entries of a dictionary from data sets to values, of which "*" are for all others.

  Example:
    >>> config.by_data({"imagenet": ("openai_80", "simple"), "*": "own"})
    ('imagenet=openai_80', 'imagenet=simple', 'own')
  """
  pairs = [(data, read_names(data, named)) for data, named in mapping.items()]
  return tuple(each if data == "*" else f"{data}={each}" for data, named in pairs for each in named)


def entries(field: str, value: Any) -> tuple[str, ...]:
  """The entries of a field, as `read_names` reads a list.

  Args:
    field: its dotted name, for messages.
    value: a text, several, or a dictionary from data set to such.
  """
  return read_names(field, by_data(value) if isinstance(value, Mapping) else value)


def prompts_on(settings: Config, data: str) -> tuple[str, ...]:
  """Those that zero-shot models are evaluated with on one data set."""
  return _on(settings.prompts, settings, data)


def attacks_on(settings: Config, data: str) -> tuple[str, ...]:
  """Those that models are attacked with on one data set."""
  return _on(settings.attacks.names, settings, data)


def subset_on(settings: Config, data: str) -> str:
  """The part of one data set that is evaluated; "" is the whole."""
  return next(iter(_on(entries("subset", settings.subset), settings, data)), "")


def values(named: tuple[str, ...], settings: Config) -> tuple[str, ...]:
  """All values, each once, whichever data sets they are for."""
  return tuple(dict.fromkeys(value for _, value in _pairs(named, settings)))


def _on(named: tuple[str, ...], settings: Config, data: str) -> tuple[str, ...]:
  """Those of the data set's own entries; where it has none, those of the others.

  What is said of images holds for their captions too.
  """
  data = directions.images_of(data)
  pairs = list(_pairs(named, settings))
  own = tuple(value for name, value in pairs if name == data)
  return own or tuple(value for name, value in pairs if name is None)


def others(settings: Config) -> tuple[str, ...]:
  """Data sets that have entries of their own and are not evaluated in this run."""
  fields = (settings.prompts, settings.attacks.names, entries("subset", settings.subset))
  names = [name for named in fields for name, _ in _pairs(named, settings) if name is not None]
  return tuple(name for name in dict.fromkeys(names) if name not in settings.data)


def _pairs(named: tuple[str, ...], settings: Config) -> Iterator[tuple[str | None, str]]:
  """Of each entry the data set, if it has one, and the value."""
  for entry in named:
    name, equals, value = entry.partition("=")
    assigned = equals and (name in settings.data or _NAME.fullmatch(name))
    yield (name, value) if assigned else (None, entry)
