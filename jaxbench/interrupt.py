"""SIGTERM and Ctrl-C as a request to stop at the next good moment; a second one stops at once."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupted(Exception):
  """A run ended early because it was asked to; what it wrote stays good."""

  def __init__(self, number: int):
    super().__init__(signal.Signals(number).name)
    self.exit_status = 128 + number


class Request:
  """Whether a signal has come."""

  number: int | None = None

  def obey(self) -> None:
    """Raises Interrupted if a signal has come."""
    if self.number is not None:
      raise Interrupted(self.number)


@contextlib.contextmanager
def listen() -> Iterator[Request]:
  """Collects SIGTERM and SIGINT while the block runs; only the main thread can."""
  request = Request()

  def handle(number: int, frame: FrameType | None) -> None:
    request.number = number
    signal.signal(number, previous[signal.Signals(number)])

  if threading.current_thread() is not threading.main_thread():
    yield request
    return
  signals = (signal.SIGTERM, signal.SIGINT)
  previous = {number: signal.signal(number, handle) for number in signals}
  try:
    yield request
  finally:
    for number, handler in previous.items():
      signal.signal(number, handler)
