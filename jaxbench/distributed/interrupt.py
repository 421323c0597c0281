"""SIGTERM and Ctrl-C as a request to stop at the next good moment; a second one stops at once.

Where there is no good moment, while a program starts or a page is written, the first one does.

Machines that are taken away grant some thirty seconds. If the good moment does not come within
twenty, the work in flight is abandoned.
"""

import contextlib
import multiprocessing
import os
import pathlib
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # In this order, so that who sees the last has both.
_GRACE = 20.0  # Seconds from the first signal; from a second one, 1.
_LAST_WORDS = 5.0  # More seconds to save what is finished.


class Interrupted(Exception):
  """A run ended early because it was asked to; what it wrote stays good."""

  def __init__(self, number: int):
    super().__init__(signal.Signals(number).name)
    self.exit_status = _status(number)

  @property
  def message(self) -> str:
    """A line for the person who asked."""
    return _told("jaxbench", self.args[0], "the same command continues the run")


def starting_program(package: str) -> str:
  """The module of a package that `python -m` is about to run; "" for a program of somebody else's.

  Python puts "-m" and the program's own arguments into `sys.argv` until the module is found.
  """
  module = sys.orig_argv[-len(sys.argv)].removeprefix("-m")
  return module if module.startswith(f"{package}.") else ""


def stop_at_once(program: str, *advice: str) -> None:
  """From now on SIGTERM and Ctrl-C end this process with one line, unless a block does `listen`.

  For programs, before they import anything large. The process is ended by a thread: the main one
  may be deep in an import or a compilation, and a KeyboardInterrupt is swallowed where it comes in
  a callback of JAX's.

  Args:
    program: its name.
    *advice: how to go on.
  """
  numbers, tell = _pipe()
  # Of semaphores that processes leave behind when they are ended, which it removes.
  sys.warnoptions.append("ignore:resource_tracker:UserWarning")

  def watch() -> None:
    number = os.read(numbers, 1)[0]
    while number not in _SIGNALS:
      number = os.read(numbers, 1)[0]
    _leave(_told(program, signal.Signals(number).name, *advice), _status(number))

  threading.Thread(target=watch, daemon=True).start()
  signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
  for number in _SIGNALS:
    signal.signal(number, lambda number, frame: None)  # Only Python's handlers tell the thread.


class Request:
  """Whether a signal has come."""

  number: int | None = None
  waits: bool = False  # The block has nothing in flight that would be lost.

  @contextlib.contextmanager
  def waiting(self) -> Iterator[None]:
    """While the block waits for somebody else, a signal does not wait for it.

    Raises:
      Interrupted: a signal has come before.
    """
    self.obey()
    self.waits = True
    try:
      yield
    finally:
      self.waits = False

  def obey(self) -> None:
    """Raises Interrupted if a signal has come."""
    if self.number is not None:
      raise Interrupted(self.number)


@contextlib.contextmanager
def listen(abandon: Callable[[], None] = lambda: None) -> Iterator[Request]:
  """Collects SIGTERM and SIGINT while the block runs; only the main thread can.

  Args:
    abandon: saves what is finished, in a thread of its own, if the block does not end in time or
      is `waiting`; then the process ends.

  Raises:
    Interrupted: the block has ended, and a signal had come.
  """
  request = Request()

  def handle(number: int, frame: FrameType | None) -> None:
    request.number = number
    signal.signal(number, previous[signal.Signals(number)])

  if threading.current_thread() is not threading.main_thread():
    yield request
    return
  with _watch(request, abandon):
    previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
      yield request
    finally:
      for number, handler in previous.items():
        signal.signal(number, handler)
  request.obey()


@contextlib.contextmanager
def _watch(request: Request, abandon: Callable[[], None]) -> Iterator[None]:
  """Ends the process if a signal has come and the block goes on for too long.

  Python's handlers wait for the main thread, which may be deep in a computation; the numbers of
  signals come through a pipe at once.
  """
  numbers, tell = _pipe()

  def watch() -> None:
    number = os.read(numbers, 1)[0]
    if not number:  # The block has ended.
      return
    request.number = number
    second, *_ = select.select([numbers], [], [], 0.0 if request.waits else _GRACE)
    if second and (not os.read(numbers, 1)[0] or select.select([numbers], [], [], 1.0)[0]):
      return
    interrupted = Interrupted(number)
    _save(abandon)
    _leave(interrupted.message, interrupted.exit_status)

  thread = threading.Thread(target=watch, daemon=True)
  thread.start()
  earlier = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
  try:
    yield
  finally:
    signal.set_wakeup_fd(earlier, warn_on_full_buffer=False)
    os.write(tell, b"\0")
    thread.join()
    os.close(numbers)
    os.close(tell)


def _pipe() -> tuple[int, int]:
  """To read numbers of signals from, and for `signal.set_wakeup_fd` to write them to."""
  numbers, tell = os.pipe()
  os.set_blocking(tell, False)
  return numbers, tell


def _told(program: str, name: str, *advice: str) -> str:
  return "; ".join([f"{program}: stopped by {name}", *advice])


def _status(number: int) -> int:
  return 128 + number


def _save(abandon: Callable[[], None]) -> None:
  """Saves what is finished, if that goes fast; the process has been asked to end long ago."""

  def save() -> None:
    with contextlib.suppress(Exception):
      abandon()

  saving = threading.Thread(target=save, daemon=True)
  saving.start()
  saving.join(_LAST_WORDS)


def _leave(message: str, status: int) -> None:
  """Ends the process, whatever else it does."""
  for child in multiprocessing.active_children():
    child.terminate()
  # Those too that are just being started, where Linux tells.
  for thread in pathlib.Path("/proc/self/task").glob("*/children"):
    with contextlib.suppress(OSError):  # One has just ended.
      for number in thread.read_text().split():
        os.kill(int(number), signal.SIGTERM)
  os.write(2, f"{message}\n".encode())  # Not `print`, which the main thread may be amidst.
  os._exit(status)
