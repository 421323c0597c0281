"""SIGTERM and Ctrl-C as a request to stop at the next good moment; a second one stops at once.

Machines that are taken away grant some thirty seconds. If the good moment does not come within
twenty, the work in flight is abandoned.
"""

import contextlib
import multiprocessing
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_GRACE = 20.0  # Seconds from the first signal; from a second one, 1.
_LAST_WORDS = 5.0  # More seconds to save what is finished.


class Interrupted(Exception):
  """A run ended early because it was asked to; what it wrote stays good."""

  def __init__(self, number: int):
    super().__init__(signal.Signals(number).name)
    self.exit_status = 128 + number

  @property
  def message(self) -> str:
    """For the person who asked."""
    return f"jaxbench: stopped by {self}; the same command continues the run"


class Request:
  """Whether a signal has come."""

  number: int | None = None

  def obey(self) -> None:
    """Raises Interrupted if a signal has come."""
    if self.number is not None:
      raise Interrupted(self.number)


@contextlib.contextmanager
def listen(abandon: Callable[[], None] = lambda: None) -> Iterator[Request]:
  """Collects SIGTERM and SIGINT while the block runs; only the main thread can.

  Args:
    abandon: saves what is finished, in a thread of its own, if the block does not end in time; then
      the process ends.
  """
  request = Request()

  def handle(number: int, frame: FrameType | None) -> None:
    request.number = number
    signal.signal(number, previous[signal.Signals(number)])

  if threading.current_thread() is not threading.main_thread():
    yield request
    return
  signals = (signal.SIGTERM, signal.SIGINT)
  with _watch(abandon):
    previous = {number: signal.signal(number, handle) for number in signals}
    try:
      yield request
    finally:
      for number, handler in previous.items():
        signal.signal(number, handler)


@contextlib.contextmanager
def _watch(abandon: Callable[[], None]) -> Iterator[None]:
  """Ends the process if a signal has come and the block goes on for too long.

  Python's handlers wait for the main thread, which may be deep in a computation; the numbers of
  signals come through a pipe at once.
  """
  numbers, tell = os.pipe()
  os.set_blocking(tell, False)

  def watch() -> None:
    number = os.read(numbers, 1)[0]
    if not number:  # The block has ended.
      return
    second, *_ = select.select([numbers], [], [], _GRACE)
    if second and (not os.read(numbers, 1)[0] or select.select([numbers], [], [], 1.0)[0]):
      return
    _leave(Interrupted(number), abandon)

  thread = threading.Thread(target=watch, daemon=True)
  thread.start()
  earlier = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
  try:
    yield
  finally:
    signal.set_wakeup_fd(earlier)
    os.write(tell, b"\0")
    thread.join()
    os.close(numbers)
    os.close(tell)


def _leave(interrupted: Interrupted, abandon: Callable[[], None]) -> None:
  """Ends the process, whatever else it does; it has been asked long ago."""

  def save() -> None:
    with contextlib.suppress(Exception):
      abandon()

  saving = threading.Thread(target=save, daemon=True)
  saving.start()
  saving.join(_LAST_WORDS)
  for child in multiprocessing.active_children():
    child.terminate()
  print(interrupted.message, file=sys.stderr, flush=True)
  os._exit(interrupted.exit_status)
