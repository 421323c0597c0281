"""Robustness of zero-shot vision-language models: the RoZ benchmark in JAX."""

import sys

__version__ = "0.2.0"

# `python -m jaxbench.report` imports all of its package before the program itself can do anything.
if sys.argv[:1] == ["-m"]:
  from jaxbench.distributed import interrupt

  if _program := interrupt.starting_program(__name__):
    interrupt.stop_at_once(_program, "the same command starts again")
