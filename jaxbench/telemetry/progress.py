"""How far a run is: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time

import tqdm

_LINE_SECONDS = 30.0


class Progress:
  """Counts work done out of `total`, on standard error.

  Args:
    total: units of work in all.
    done: units that an earlier session did.
    unit: its name, in the singular.
  """

  def __init__(self, total: int, done: int, unit: str):
    self._terminal = sys.stderr.isatty()
    self._bar = tqdm.tqdm(
      total=total, initial=done, unit=unit, unit_scale=True, disable=not self._terminal
    )
    self._total, self._initial, self._done, self._unit = total, done, done, unit
    self._started = self._printed = time.monotonic()

  def show(self, what: str) -> None:
    """Names the work that begins now."""
    if self._terminal:
      self._bar.set_postfix_str(what)
    elif time.monotonic() - self._printed >= _LINE_SECONDS:
      self._printed = time.monotonic()
      print(f"{self._meter()} {what}", file=sys.stderr, flush=True)

  def update(self, amount: int) -> None:
    """Adds `amount` of work done."""
    self._done += amount
    self._bar.update(amount)

  def advance(self, what: str) -> None:
    """One unit is done; `what` says how it went."""
    self.update(1)
    self.show(what)

  def close(self) -> None:
    """Leaves the last state standing."""
    self._bar.close()

  def _meter(self) -> str:
    elapsed = time.monotonic() - self._started
    return tqdm.tqdm.format_meter(
      self._done,
      self._total,
      elapsed,
      unit=self._unit,
      unit_scale=True,
      initial=self._initial,
      ncols=0,
    )
