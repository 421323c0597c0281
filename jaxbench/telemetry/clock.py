"""What this process waits for: devices, and what is prepared once."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax

PARTS = ("compiling", "device")
_spent = dict.fromkeys(PARTS, 0.0)
_COMPILED = "/jax/core/compile/backend_compile_duration"  # Or read from what was compiled before.
_PREPARED = (
  "/jax/core/compile/jaxpr_trace_duration",
  "/jax/core/compile/jaxpr_to_mlir_module_duration",
  _COMPILED,
)


class _Spans:
  """Seconds of what may hold others of its kind, as programs are traced inside programs."""

  def __init__(self) -> None:
    self.total = 0.0
    self._spans: list[tuple[float, float]] = []  # Begin and seconds, none in another.

  def add(self, seconds: float) -> None:
    """One that ends now."""
    begin = time.monotonic() - seconds
    while self._spans and self._spans[-1][0] >= begin:
      self.total -= self._spans.pop()[1]
    self._spans.append((begin, seconds))
    self.total += seconds


_prepared = _Spans()


def spent() -> dict[str, float]:
  """Seconds of each of PARTS since the process began."""
  return dict(_spent)


def prepared() -> float:
  """Seconds of what need not be done again: tracing and compiling, and what `preparing` wraps."""
  return _prepared.total


@contextlib.contextmanager
def preparing() -> Iterator[None]:
  """Counts what it wraps as done once: a model is loaded, prompts are embedded."""
  with _timed(_prepared.add):
    yield


@contextlib.contextmanager
def waiting() -> Iterator[None]:
  """Counts what it wraps as waiting for a device."""
  with _timed(functools.partial(_spend, "device")):
    yield


@contextlib.contextmanager
def _timed(add: Callable[[float], None]) -> Iterator[None]:
  started = time.monotonic()
  try:
    yield
  finally:
    add(time.monotonic() - started)


def _spend(part: str, seconds: float) -> None:
  _spent[part] += seconds


def _listen(event: str, duration_secs: float, **_: Any) -> None:
  if event in _PREPARED:
    _prepared.add(duration_secs)
  if event == _COMPILED:
    _spend("compiling", duration_secs)


jax.monitoring.register_event_duration_secs_listener(_listen)
