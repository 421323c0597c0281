"""Robustness of zero-shot vision-language models: the RoZ benchmark in JAX."""

import importlib
import sys
from typing import Any

__version__ = "0.2.0"

# `python -m jaxbench.report` imports all of its package before the program itself can do anything.
if sys.argv[:1] == ["-m"]:
  from jaxbench.distributed import interrupt

  if _program := interrupt.starting_program(__name__):
    interrupt.stop_at_once(_program, "the same command starts again")


def __getattr__(name: str) -> Any:
  """Rooms, imported when they are first asked for: `jaxbench.evaluate`, `jaxbench.attacks`."""
  if name.startswith("_"):
    raise AttributeError(name)
  try:
    return importlib.import_module(f"{__name__}.{name}")
  except ModuleNotFoundError as error:
    if error.name != f"{__name__}.{name}":
      raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from error
