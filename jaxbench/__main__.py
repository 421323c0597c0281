"""Measures how robust vision-language models are, as a config describes it.

  jaxbench run NAME|FILE[:ARGUMENT] --workdir=DIR [--config.FIELD=VALUE ...]

Any field of the config can be set on the command line: --config.limit=100,
--config.attacks.epsilons=2/255,4/255, --config.models=digits-clip; they are listed in
jaxbench/config/schema.py. The same command again continues a run that was interrupted.
`python -m jaxbench` is the same program, and `--config=FILE` the same as `run FILE`.
"""

from jaxbench.distributed import interrupt

if __name__ == "__main__":  # What follows takes time to import.
  interrupt.stop_at_once("jaxbench", "the same command continues the run")
  import gc
  import sys

  # Imports and traces make millions of objects that stay: to look through them all as often as
  # Python does takes a tenth of a small run.
  gc.set_threshold(50_000, 20, 100)

  from jaxbench import commands

  commands.start(sys.argv)

import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags
from ml_collections import config_flags
from ml_collections.config_flags import tuple_parser

from jaxbench import command_line, config, errors


class _Slots(flags.IntegerParser):
  """A number, or auto."""

  def parse(self, argument: str | int) -> int:
    """A number, or AUTO."""
    return config.AUTO if argument == "auto" else super().parse(argument)


class _Limit(flags.IntegerParser):
  """A number, or a share."""

  def parse(self, argument: str | int) -> int | str:  # type: ignore[override]
    """A number, or the text of a share."""
    return argument if str(argument).endswith("%") else super().parse(argument)


class _List(tuple_parser.TupleParser):
  """What is no Python tuple, as "/a/b,/c/d" is none, stays text: `config` reads lists of names."""

  def parse(self, argument: Any) -> tuple[Any, ...]:
    """A tuple, or a tuple of the text."""
    try:
      return super().parse(argument)
    except ValueError:
      return (argument,)


config_flags.register_flag_parser_for_type(config.Slots, _Slots())
config_flags.register_flag_parser_for_type(config.Limit, _Limit())
config_flags.register_flag_parser_for_type(tuple, _List())
_CONFIG = config_flags.DEFINE_config_file("config", None, "What to run: a Python file.")
flags.DEFINE_string("workdir", None, "Folder for the results: new, or one to continue.")
flags.DEFINE_bool("plan", False, "Print what would be run and its cost; run nothing.")
flags.DEFINE_bool("quiet", False, "Say nothing but what is wrong.")
flags.DEFINE_bool("json", False, "Print the figures of the first screen as JSON, and no tables.")
flags.DEFINE_bool("compilation_cache", True, "Keep compiled programs in ~/.cache/jaxbench.")
flags.DEFINE_string(
  "compilation_cache_dir", None, "Keep them there, to share; only folders that you trust."
)
flags.DEFINE_integer(
  "workers",
  None,
  "Processes that decode images; 0 is threads of the main one. Default: one per 16 cores.",
  lower_bound=0,
)
flags.DEFINE_string("host", None, "INDEX/COUNT of this process; by default what started it tells.")
flags.DEFINE_string(
  "join", None, "Join jax.distributed: HOST:PORT of host 0, or auto on a TPU slice. Not needed."
)
flags.DEFINE_string(
  "cache", None, "Folder for decoded images, shared by runs; its size is told before it is filled."
)
flags.DEFINE_string(
  "profile", None, "Folder for the profiler's trace of one block: the second of a data set."
)


def main(arguments: Sequence[str]) -> int:
  """Runs what the flags say; returns the exit status."""
  try:
    if len(arguments) > 1:
      raise errors.InputError(f"unexpected argument {arguments[1]!r}; see --help")
    settings = asked()
    from jaxbench import run  # Takes seconds, which --help and a wrong flag need not wait for.

    values = flags.FLAGS.flag_values_dict()
    run.run(settings, run.Options(**{name: values[name] for name in run.Options._fields}))
  except errors.InputError as error:
    print(f"jaxbench: {error}", file=sys.stderr)
    return 2
  except interrupt.Interrupted as signal:
    print(signal.message, file=sys.stderr)
    return signal.exit_status
  except OSError as error:  # A full disk, most often; parts are whole or absent.
    print(f"jaxbench: {error}; mend it, then the same command continues the run", file=sys.stderr)
    return 1
  except errors.DeviceMemoryFull:
    print(
      "jaxbench: a device's memory is full; what was written stays good. Lower --config.slots, or "
      "name smaller models",
      file=sys.stderr,
    )
    return 1
  return 0


def asked() -> config.Config | config.Training | config.PromptSearch:
  """What the flags ask for.

  Raises:
    InputError: there is no config, or it is none.
  """
  settings = _CONFIG.value
  if settings is None:
    raise errors.InputError(
      "--config is missing: jaxbench run quickstart, or --config=FILE; `jaxbench list configs`"
    )
  if not isinstance(settings, (config.Config, config.Training, config.PromptSearch)):
    try:
      settings.models  # noqa: B018 -- ml_collections reports a missing file when it is first read.
    except OSError as error:
      raise errors.InputError(f"--config: {command_line.last_line(error)}") from error
    except AttributeError:
      pass
    raise errors.InputError("--config: get_config() must return a jaxbench.config.Config")
  return settings


if __name__ == "__main__":
  app.run(main, flags_parser=command_line.parse)
