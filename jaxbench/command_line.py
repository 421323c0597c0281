"""The flags of the command line, and one line for whatever is wrong with them."""

import dataclasses
import re
import sys
from collections.abc import Sequence

from absl import flags, logging

from jaxbench import config, errors

_KINDS = (config.Config, config.Training, config.PromptSearch)
_UNKNOWN_FIELD = re.compile(
  r"(?P<kind>\w+)\.__init__\(\) got an unexpected keyword argument '(.+)'"
)
_NO_ARGUMENT = re.compile(r"get_config\(\) takes 0 positional arguments but \d+ \w+ given")


def parse(arguments: Sequence[str]) -> list[str]:
  """absl's parser; whatever goes wrong, in a config's file too, is one line and status 2."""
  try:
    rest = flags.FLAGS(arguments)
    if flags.FLAGS["verbosity"].using_default_value:
      logging.set_verbosity(logging.WARNING)  # Libraries tell much at absl's INFO.
    return rest
  except flags.Error as error:
    message = str(error).strip()
    if "\n" in message:  # A traceback of the config's own.
      message = _broken_config(arguments, last_line(error))
  except (KeyError, AttributeError) as error:
    message = _unknown_field(arguments) or _broken_config(arguments, _named(error))
  except Exception as error:
    message = _broken_config(arguments, _named(error))
  print(f"jaxbench: {message}; see --help", file=sys.stderr)
  sys.exit(2)


def last_line(error: Exception) -> str:
  """What an error says in the end; "" of one that says nothing."""
  return str(error).strip().splitlines()[-1].strip() if str(error).strip() else ""


def _named(error: Exception) -> str:
  return f"{type(error).__name__}: {last_line(error)}"


def _unknown_field(arguments: Sequence[str]) -> str | None:
  """The first --config.field of the command line that no config has."""
  known = [field for kind in _KINDS for field in config.fields(kind)]
  for argument in arguments:
    name = argument.lstrip("-").partition("=")[0].removeprefix("config.")
    if argument.lstrip("-").startswith("config.") and name not in known:
      return str(errors.unknown("config field", name, known))
  return None


def _broken_config(arguments: Sequence[str], reason: str) -> str:
  """The argument that names the config, and what is wrong there."""
  named = [argument for argument in arguments if argument.lstrip("-").startswith("config")]
  if _NO_ARGUMENT.search(reason):
    reason = "this config takes no argument after its name"
  elif found := _UNKNOWN_FIELD.search(reason):
    kind = getattr(config, found["kind"], None)
    if dataclasses.is_dataclass(kind):
      names = [field.name for field in dataclasses.fields(kind)]
      reason = str(errors.unknown(f"field of {found['kind']}", found[2], names))
  return f"{named[0] if named else '--config'}: {reason.removeprefix('ValueError: ')}"
