"""The flags of the command line, and one line for whatever is wrong with them."""

import contextlib
import dataclasses
import re
import sys
from collections.abc import Sequence

from absl import flags, logging

from jaxbench import commands, config, errors

_KINDS = (config.Config, config.Training, config.PromptSearch)
_UNKNOWN_FIELD = re.compile(
  r"(?P<kind>\w+)\.__init__\(\) got an unexpected keyword argument '(.+)'"
)
_NO_ARGUMENT = re.compile(r"get_config\(\) takes 0 positional arguments but \d+ \w+ given")


def parse(arguments: Sequence[str]) -> list[str]:
  """absl's parser; whatever goes wrong, in a config's file too, is one line and status 2."""
  if {"-h", "--help"} & set(arguments):
    about = str(sys.modules["__main__"].__doc__).strip()
    print(about, commands.table(), flags.FLAGS.main_module_help().strip(), sep="\n\n")
    sys.exit()
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
  print(f"jaxbench: {message.removesuffix('.')}; see --help", file=sys.stderr)
  sys.exit(2)


def last_line(error: Exception) -> str:
  """What an error says in the end; "" of one that says nothing."""
  return str(error).strip().splitlines()[-1].strip() if str(error).strip() else ""


def _named(error: Exception) -> str:
  return f"{type(error).__name__}: {last_line(error)}"


def _unknown_field(arguments: Sequence[str]) -> str | None:
  """The first --config.field of the command line that the config does not have, if one has not."""
  fields = {field for kind in _kinds(arguments) for field in config.fields(kind)}
  for argument in arguments:
    name = argument.lstrip("-").partition("=")[0].removeprefix("config.")
    if argument.lstrip("-").startswith("config.") and name not in fields:
      return str(errors.unknown("config field", name, fields))
  return None


def _kinds(arguments: Sequence[str]) -> Sequence[type]:
  """That of the config which is named, where it can be told; else all."""
  for argument in arguments:
    name, _, file = argument.lstrip("-").partition("=")
    if name == "config":
      with contextlib.suppress(Exception):
        settings = flags.FLAGS["config"].parser.parse(file)  # Without what is set on the line.
        return [kind for kind in _KINDS if isinstance(settings, kind)] or _KINDS
  return _KINDS


def _broken_config(arguments: Sequence[str], reason: str) -> str:
  """The argument that names the config, and what is wrong there."""
  naming = [argument for argument in arguments if argument.lstrip("-").startswith("config")]
  if _NO_ARGUMENT.search(reason):
    reason = "this config takes no argument after its name"
  elif mistake := _UNKNOWN_FIELD.search(reason):
    kind = getattr(config, mistake["kind"], None)
    if dataclasses.is_dataclass(kind):
      names = [field.name for field in dataclasses.fields(kind)]
      reason = str(errors.unknown(f"field of {mistake['kind']}", mistake[2], names))
  for said in ("ValueError: ", f"{errors.__name__}.InputError: "):
    reason = reason.removeprefix(said)
  return f"{naming[0] if naming else '--config'}: {reason}"
