"""Who works on what: names leased through files in the run's folder, without a server.

A lease is a file that one of those who try can create: `leases/NAME.0`. Its holder shows that it
lives by rewriting `leases/HOLDER.alive`. When that is gone, or older than this process's own sign
of life, or has not changed while this process looked, or when the holder was a process of this
machine that is no more, `leases/NAME.1` is free to be created, and so on. All times are the
store's: no host's clock is read, and a file that is dated ahead holds nothing up.
`leases/NAME.done` says that nothing is left to do.

Leases save work; they do not make rows right. A host that was taken for dead may wake up and write
what another has written too: rows are equal whoever computes them, and readers keep one of each.
"""

import contextlib
import functools
import hashlib
import os
import pathlib
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterable
from types import TracebackType

from etils import epath

from jaxbench.storage import atomic

_BEAT = 15.0  # Seconds between two signs of life.
# Seconds without one after which a holder is dead. NFS may show the last one 60 late.
_EXPIRY = 120.0

_HOLDER = re.compile(r".*-(?P<machine>[0-9a-f]+)-(?P<process>[0-9]{1,10})-[0-9a-f]+", re.ASCII)
_HERE: set[str] = set()  # Holders that live in this process.


class LeaseLost(Exception):
  """A lease was taken over, because its holder seemed dead; its work is another's now."""


class Leases:
  """The leases of one process; as a context, it shows that the process lives.

  Args:
    workdir: of a run; holds `leases`.
  """

  def __init__(self, workdir: epath.Path):
    self._folder = workdir / "leases"
    self.holder = f"{socket.gethostname()}-{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    self._held: dict[str, int] = {}  # Names and the numbers of their leases.
    self._ended = threading.Event()
    self._thread = threading.Thread(target=self._beat, daemon=True)
    self._holders: dict[str, str] = {}  # By lease.
    # By file: when it was written, and when (of this process's seconds) that was first seen.
    self._seen: dict[str, tuple[float, float]] = {}

  def __enter__(self) -> "Leases":
    self._folder.mkdir(parents=True, exist_ok=True)
    self._touch()
    _HERE.add(self.holder)
    files = atomic.listing(self._folder)
    for name in files:
      if name.endswith(".alive") and self._is_old(name, files):
        atomic.remove(self._folder / name)
    self._thread.start()
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
  ) -> None:
    self.release()

  def take(self, names: Iterable[str], most: int) -> list[str]:
    """Leases as many as it can of the first names that nobody holds.

    Args:
      names: in the order in which they are wanted.
      most: how many to lease.

    Raises:
      OSError: the folder cannot be written.
    """
    files = atomic.listing(self._folder)
    newest = _newest(files)
    taken: list[str] = []
    for name in names:
      if len(taken) == most:
        break
      number = newest.get(name, -1) + 1
      if number and self._is_held(f"{name}.{number - 1}", files):
        continue
      if atomic.create(self._folder / f"{name}.{number}", self.holder.encode()):
        self._held[name] = number
        taken.append(name)
    return taken

  def require(self, name: str) -> None:
    """Returns if the lease `name` is still this process's.

    Raises:
      LeaseLost: it is not.
    """
    if _newest(atomic.listing(self._folder)).get(name) != self._held[name]:
      del self._held[name]
      raise LeaseLost(name)

  def finish(self, name: str) -> None:
    """Says that nothing is left to do for `name`, and gives its lease back."""
    atomic.write(self._folder / f"{name}.done", b"", durable=False)
    self._give_back(name)

  def finished(self) -> set[str]:
    """The names of which somebody said so, in this session of the run or an earlier one."""
    return {
      name.removesuffix(".done") for name in atomic.listing(self._folder) if name.endswith(".done")
    }

  def lives(self, holder: str, files: dict[str, float] | None = None) -> bool:
    """Whether a process seems to be at work.

    Args:
      holder: its name, as leases hold it.
      files: of the folder, as `atomic.listing` has them; None lists it now.
    """
    files = atomic.listing(self._folder) if files is None else files
    match = _HOLDER.fullmatch(holder)
    if not match:  # No process has that name.
      return False
    machine, process = match["machine"], match["process"]
    if int(process) == os.getpid() and machine == _machine():
      return holder in _HERE  # Not that of an earlier process with the same number.
    if machine == _machine() and not _runs(int(process)):
      return False
    return not self._is_old(f"{holder}.alive", files)

  def release(self) -> None:
    """Gives all leases back and ends the signs of life; a second call does nothing."""
    if self._ended.is_set():
      return
    self._ended.set()
    if self._thread.is_alive():
      self._thread.join(1.0)  # So that no last sign of life comes after the end.
    _HERE.discard(self.holder)
    for name in list(self._held):
      self._give_back(name)
    atomic.remove(self._folder / f"{self.holder}.alive")

  def _give_back(self, name: str) -> None:
    held = self._held.pop(name)
    for lease in atomic.listing(self._folder):
      of, number = _parsed(lease)
      if of == name and 0 <= number <= held:
        atomic.remove(self._folder / lease)

  def _is_held(self, lease: str, files: dict[str, float]) -> bool:
    if lease not in self._holders:
      holder = (atomic.read(self._folder / lease) or b"").decode(errors="replace")
      if not _HOLDER.fullmatch(holder):
        # It has gone, or is being written; unless its writer was stopped just there.
        return not self._is_old(lease, files)
      self._holders[lease] = holder
    return self.lives(self._holders[lease], files)

  def _is_old(self, name: str, files: dict[str, float]) -> bool:
    """Whether a file has gone, or nobody has written it for so long that its writer is dead."""
    if name not in files:
      return True
    seen = time.monotonic()
    written, first = self._seen.get(name, (None, seen))
    if written != files[name]:
      self._seen[name] = files[name], (first := seen)
    # This process's sign of life tells the time there.
    now = files.get(f"{self.holder}.alive", 0.0)
    return max(now - files[name], seen - first) >= _EXPIRY

  def _beat(self) -> None:
    while not self._ended.wait(_BEAT):
      with contextlib.suppress(OSError):  # If it lasts, others take over; rows come to no harm.
        self._touch()

  def _touch(self) -> None:
    atomic.touch(self._folder / f"{self.holder}.alive")


def _newest(files: Iterable[str]) -> dict[str, int]:
  """The highest number among the leases of each name."""
  newest: dict[str, int] = {}
  for name, number in map(_parsed, files):
    newest[name] = max(newest.get(name, -1), number)
  return newest


def _parsed(file: str) -> tuple[str, int]:
  """The name and the number of a lease; -1 of what is none."""
  name, _, number = file.rpartition(".")
  return name, int(number) if number.isdecimal() else -1


def _runs(process: int) -> bool:
  """Whether this machine has a process of this number."""
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass
  return True


@functools.cache
def _machine() -> str:
  """A hash of what processes share that can see one another's numbers."""
  shared = [socket.gethostname()]
  with contextlib.suppress(OSError):  # Of Linux alone.
    shared.append(pathlib.Path("/proc/sys/kernel/random/boot_id").read_text())
    shared.append(os.readlink("/proc/self/ns/pid"))
  return hashlib.blake2b("".join(shared).encode(), digest_size=5).hexdigest()
