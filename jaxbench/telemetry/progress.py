"""How far a program is: a bar on a terminal, a plain line now and then elsewhere."""

import datetime
import sys
import threading
import time

import tqdm

from jaxbench.telemetry import clock
from jaxbench.telemetry.time_left import Part, TimeLeft

_LINE_SECONDS = 15.0
_BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"


class Progress:
  """Counts work done out of `total`, on standard error.

  Args:
    total: units of work in all.
    done: units that an earlier session did.
    unit: its name, in the singular.
    left: what estimates the time, where parts of the work have paces of their own.
    silent: show nothing.
  """

  def __init__(
    self, total: int, done: int, unit: str, left: TimeLeft | None = None, *, silent: bool = False
  ):
    self._terminal = sys.stderr.isatty() and not silent
    self._left = left or TimeLeft({(): total - done})
    self._bar = tqdm.tqdm(
      total=total,
      initial=done,
      unit=unit,
      unit_scale=True,
      bar_format=_BAR,
      disable=not self._terminal,
    )
    self._total, self._initial, self._done = total, done, done
    self._plural = f"{unit}es" if unit.endswith("s") else f"{unit}s"
    self._what = ""
    self._started = self._updated = time.monotonic()
    self._prepared = clock.prepared()
    self._shown = -1.0
    self._ended = threading.Event()
    if not (silent or self._terminal):
      threading.Thread(target=self._tell_now_and_then, daemon=True).start()

  def show(self, what: str) -> None:
    """Names the work that begins now."""
    self._what = what
    if self._terminal and time.monotonic() - self._shown >= 1:  # Who asks often pays for it.
      self._shown = time.monotonic()
      self._bar.set_postfix_str(" ".join([self._remaining(), what]).strip())

  def update(self, amount: int, part: Part = ()) -> None:
    """Adds `amount` of work done, since the last call."""
    now, prepared = time.monotonic(), clock.prepared()
    self._left.took(part, amount, now - self._updated, prepared - self._prepared)
    self._updated, self._prepared = now, prepared
    self._add(amount)

  def skip(self, amount: int, part: Part = ()) -> None:
    """Adds `amount` of work that somebody else has done."""
    self._left.skip(part, amount)
    self._add(amount)

  def advance(self, what: str) -> None:
    """One unit is done; `what` says how it went."""
    self.update(1)
    self.show(what)

  def close(self) -> None:
    """Leaves the last state standing."""
    self._ended.set()
    self._bar.close()

  def _add(self, amount: int) -> None:
    self._done += amount
    self._bar.update(amount)

  def _tell_now_and_then(self) -> None:
    """Lines where there is no bar, whatever the main thread is deep in."""
    while not self._ended.wait(_LINE_SECONDS):
      print(f"jaxbench: {self._line()}", file=sys.stderr, flush=True)

  def _line(self) -> str:
    share = 100 * self._done / self._total if self._total else 100.0
    elapsed = time.monotonic() - self._started
    rate = (self._done - self._initial) / elapsed
    told = [f"{share:.0f}%", f"{self._done:,}/{self._total:,} {self._plural}", f"{rate:,.1f}/s"]
    return ", ".join(filter(None, [*told, self._remaining(), self._what]))

  def _remaining(self) -> str:
    seconds = self._left.seconds()
    if seconds is None:
      return ""
    guess = "perhaps " if self._left.is_guess() else ""
    return f"{guess}{datetime.timedelta(seconds=round(seconds))} left"
