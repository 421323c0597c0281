"""The commands of `jaxbench` by name: evaluations, and the smaller programs beside them."""

import importlib
import os
import sys
from collections.abc import Sequence

from jaxbench import bundled, errors

# Each is `python -m jaxbench.NAME` too.
EVALUATIONS = {
  "run": "evaluate what a config describes, and write the report",
  "plan": "print the cells of a config and their cost; run nothing",
}
PROGRAMS = {
  "report": ("jaxbench.report.__main__", "write the report of one or several runs, and exports"),
  "list": ("jaxbench.list", "models, data, attacks, corruptions, prompts, configs"),
  "data": ("jaxbench.data.__main__", "check which data sets lie in a folder"),
  "convert": ("jaxbench.convert", "write a model of any format as a jaxbench checkpoint"),
  "corrupt": ("jaxbench.corrupt", "draw all corruptions of one image"),
  "universal": ("jaxbench.universal.__main__", "learn one perturbation for all images"),
  "overlap": ("jaxbench.overlap.__main__", "look for evaluation images in training data"),
}

_ENDS = """\
Exit status: 0 done; 1 a disk or a device's memory is full, or `data check` found a set that is
not whole; 2 wrong input, with one line that names it; 130 and 143 stopped by Ctrl-C and SIGTERM,
and the same command continues."""


def start(line: list[str]) -> None:
  """Makes the command line that of an evaluation; see `divert`.

  Args:
    line: `sys.argv`, where absl and ml_collections look; it is changed.
  """
  try:
    line[1:] = divert(line[1:])
  except errors.InputError as error:
    print(f"jaxbench: {error}", file=sys.stderr)
    sys.exit(2)


def divert(arguments: Sequence[str]) -> list[str]:
  """The flags of an evaluation; runs whatever else the command line names, and exits.

  Args:
    arguments: those of the command line, without the program. `run NAME` and `plan NAME` become
      `--config=FILE`; flags alone stay as they are.

  Raises:
    InputError: no config has that name.
  """
  command, *rest = arguments or ("--help",)
  if command == "--version":
    print(f"jaxbench {importlib.import_module('jaxbench').__version__}")
    sys.exit()
  if command in PROGRAMS:
    sys.exit(importlib.import_module(PROGRAMS[command][0]).main(rest))
  if command not in EVALUATIONS:
    if command.startswith("-"):
      return [command, *rest]
    raise errors.unknown("command", command, [*EVALUATIONS, *PROGRAMS])
  if rest and not rest[0].startswith("-"):
    rest[0] = f"--config={_config(rest[0])}"
  return [*rest, "--plan"] if command == "plan" else rest


def _config(name: str) -> str:
  """The file of a config, with the argument that its name may have."""
  stem, colon, argument = name.partition(":")
  if stem.endswith(".py") or os.sep in stem:
    return name
  known = bundled.configs()
  if stem not in known:
    raise errors.unknown("config", stem, known)
  return f"{known[stem]}{colon}{argument}"


def table() -> str:
  """What --help says of them, and of how they end."""
  told = EVALUATIONS | {name: about for name, (_, about) in PROGRAMS.items()}
  lines = [f"  jaxbench {name:9}  {about}" for name, about in told.items()]
  return "\n".join(["Commands, each with --help of its own:", *lines, "", _ENDS])
