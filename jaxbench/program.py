"""A program beside `python -m jaxbench`: flags of its own, and one line for what is wrong.

absl's global flags would be one set for all programs that a process imports.
"""

import sys
from collections.abc import Callable, Sequence

from absl import flags, logging

from jaxbench import errors


def run(
  name: str,
  about: str,
  known: flags.FlagValues,
  body: Callable[[Sequence[str]], int],
  arguments: Sequence[str],
) -> int:
  """Parses a program's flags and runs it; returns the exit status, which is 2 for wrong input.

  Args:
    name: as `python -m NAME`.
    about: what --help prints above the flags.
    known: the flags.
    body: what to do with the arguments that are no flags; returns the exit status.
    arguments: those of the command line, without the program.
  """
  if {"-h", "--help"} & set(arguments):
    _, _, listed = known.get_help(include_special_flags=False).strip().partition("\n")
    print(f"{about.strip()}\n\n{listed}".strip())
    return 0
  logging.set_verbosity(logging.WARNING)  # Libraries tell much at absl's INFO.
  try:
    known.unparse_flags()  # Whatever an earlier call has set.
    return body(known([name, *arguments])[1:])
  except (errors.InputError, flags.Error, OSError) as error:
    print(f"{name}: {error}", file=sys.stderr)
    return 2
