"""What this process waits for: devices, and XLA's compiler."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import jax

PARTS = ("compiling", "device")
_spent = dict.fromkeys(PARTS, 0.0)


def spent() -> dict[str, float]:
  """Seconds of each of PARTS since the process began."""
  return dict(_spent)


@contextlib.contextmanager
def waiting() -> Iterator[None]:
  """Counts what it wraps as waiting for a device."""
  started = time.monotonic()
  try:
    yield
  finally:
    _spent["device"] += time.monotonic() - started


def _listen(event: str, duration_secs: float, **_: Any) -> None:
  # XLA's work, or reading what it has compiled before.
  if event == "/jax/core/compile/backend_compile_duration":
    _spent["compiling"] += duration_secs


jax.monitoring.register_event_duration_secs_listener(_listen)
