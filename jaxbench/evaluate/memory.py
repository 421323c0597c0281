"""How many slots fit the memory of a device, known before anything runs in them."""

import math
import os
import pathlib
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
from jax.extend import core

from jaxbench import devices

_SHARE = 0.85  # Of the memory; the rest is for batches on their way, and for fragments.


class Program(NamedTuple):
  """A sharded program in slots."""

  classifier: devices.Replicated  # Its first argument, which is on the devices already.
  trace: Callable[[int], jax.stages.Traced]  # By the number of slots on each device.


def most_slots(programs: Iterable[Program], limit: int) -> int:
  """The most slots up to `limit` in which the heaviest program fits the free memory.

  That one alone is compiled, once if the limit fits. It is the program with the most bytes in its
  intermediate values; of programs for GPUs and TPUs, XLA tells nothing before it compiles them.
  """
  heaviest = max(programs, key=lambda program: _traffic(program.trace(1).jaxpr.jaxpr))
  return fitting(lambda slots: needed(heaviest, slots), free(), limit)


def fitting(needed: Callable[[int], float], available: float, limit: int) -> int:
  """The most slots up to `limit` that need no more than is available; 1 if even that does.

  Args:
    needed: bytes by slots, nearly on a straight line; infinite where it cannot be told.
    available: bytes.
    limit: slots.
  """
  slots = limit
  if (used := needed(slots)) <= available:
    return slots
  least = needed(1)
  while slots > 1 and used > available:
    each = (used - least) / (slots - 1)
    guess = slots // 2 if math.isinf(used) else 1 + int((available - least) / each)
    slots = max(1, min(guess, slots - 1))
    used = needed(slots)
  return slots


def needed(program: Program, slots: int) -> float:
  """Bytes on one device, those of the classifier left out; infinite if it cannot be compiled."""
  try:
    analysis: Any = program.trace(slots).lower().compile().memory_analysis()
  except jax.errors.JaxRuntimeError as error:  # The compiler for TPUs refuses what does not fit.
    if not is_exhausted(error):
      raise
    return math.inf
  arguments = analysis.argument_size_in_bytes - sum(
    leaf.nbytes for leaf in program.classifier.leaves
  )
  # Donated arguments become outputs.
  outputs = analysis.output_size_in_bytes - analysis.alias_size_in_bytes
  return arguments + outputs + analysis.temp_size_in_bytes


def free() -> float:
  """Bytes that may still be used on each device; devices of a CPU share the host's."""
  stats = [device.memory_stats() for device in devices.mesh().devices.flat]
  told = [one for one in stats if one and "bytes_limit" in one]
  if told:
    return min(_SHARE * one["bytes_limit"] - one["bytes_in_use"] for one in told)
  return _SHARE * _host_memory() / devices.mesh().size


def is_exhausted(error: jax.errors.JaxRuntimeError) -> bool:
  """Whether a device's memory is full."""
  return "RESOURCE_EXHAUSTED" in str(error)


def _host_memory() -> int:
  """Bytes that Linux says are available; elsewhere all that there are."""
  told = pathlib.Path("/proc/meminfo")
  if told.exists() and (found := re.search(r"MemAvailable: *(\d+) kB", told.read_text())):
    return int(found[1]) * 1024
  return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _traffic(jaxpr: core.Jaxpr) -> int:
  """Bytes of all values that are computed; those of a loop once."""
  values: list[Any] = [value.aval for equation in jaxpr.eqns for value in equation.outvars]
  inner = [
    part.jaxpr if isinstance(part, core.ClosedJaxpr) else part
    for equation in jaxpr.eqns
    for part in jax.tree.leaves(list(equation.params.values()))
    if isinstance(part, core.ClosedJaxpr | core.Jaxpr)
  ]
  own = sum(value.size * value.dtype.itemsize for value in values)
  return own + sum(_traffic(part) for part in inner)
