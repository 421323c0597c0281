"""What a process did with its time, a JSON line for each block of examples it has finished."""

import collections
import contextlib
import json
import math
import time
from collections.abc import Iterator

import jax
from etils import epath

from jaxbench.records import logs
from jaxbench.storage import atomic
from jaxbench.telemetry import clock

SPENT = ("waiting", "decoding", "writing")  # What `Journal.spend` counts.
_PAUSE = 5.0  # Seconds at least between two writes: blocks may be short, and stores slow.


class Journal:
  """The log of one process, `logs/NAME.jsonl` in the run's folder.

  A line has: `time` (seconds since 1970), `data` and `block`, `seconds` in all; of them `waiting`
  (for blocks that other hosts held), `decoding` (the devices waited for images), `writing`,
  `compiling` (programs, or reading them from the cache), `device` (the host had nothing to do but
  to wait for results; a device may also be busy while the host is) and `host`, the rest, with
  small programs of a CPU, which run where they are called; `processor` (seconds of cores that the
  process used), `passes` (planned ones; attacks may need fewer), `slots` (on each device),
  `occupancy` (share of slot steps that worked on an example, so far), `memory` (peak bytes on a
  device; null where it is not told).
  """

  def __init__(self, workdir: epath.Path, name: str):
    self._file = logs.file(workdir, name)
    self._lines: list[str] = []
    self._saved = -math.inf
    self._spent: dict[str, float] = collections.defaultdict(float)
    self._began, self._used = time.monotonic(), time.process_time()
    self._clock = clock.spent()

  @contextlib.contextmanager
  def spend(self, part: str) -> Iterator[None]:
    """Counts the time of the block it wraps as one of SPENT."""
    started = time.monotonic()
    try:
      yield
    finally:
      self._spent[part] += time.monotonic() - started

  def add(self, data: str, block: int, passes: int, slots: int, occupancy: float) -> None:
    """Notes a block that has ended, and writes all notes if it has not done so for 5 s.

    Args:
      data: the name of its data set.
      block: its number there.
      passes: of its cells, as they are planned.
      slots: on each device.
      occupancy: the share of slot steps that worked on an example, so far.

    Raises:
      OSError: it cannot be written.
    """
    now, used = time.monotonic(), time.process_time()
    seconds, processor = now - self._began, used - self._used
    self._began, self._used = now, used
    waited = clock.spent()
    spent = {part: self._spent[part] for part in SPENT}
    spent |= {part: waited[part] - self._clock[part] for part in clock.PARTS}
    self._clock = waited
    spent = {"seconds": seconds, **spent, "host": seconds - sum(spent.values())}
    spent["processor"] = processor
    self._spent.clear()
    line = {"time": round(time.time(), 3), "data": data, "block": block}
    line |= {name: round(value, 3) for name, value in spent.items()}
    line |= {
      "passes": passes,
      "slots": slots,
      "occupancy": round(occupancy, 4),
      "memory": _memory(),
    }
    self._lines.append(json.dumps(line))
    if now - self._saved >= _PAUSE:
      self.save()

  def save(self) -> None:
    """Writes all lines, if there are any.

    Raises:
      OSError: they cannot be written.
    """
    if not self._lines:
      return
    self._file.parent.mkdir(parents=True, exist_ok=True)
    # All of it each time: object stores cannot append.
    atomic.write(self._file, ("\n".join(self._lines) + "\n").encode(), durable=False)
    self._saved = time.monotonic()


def _memory() -> int | None:
  stats = [device.memory_stats() for device in jax.local_devices()]
  peaks = [
    device_stats["peak_bytes_in_use"]
    for device_stats in stats
    if device_stats and "peak_bytes_in_use" in device_stats
  ]
  return max(peaks, default=None)
