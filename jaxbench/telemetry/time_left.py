"""How long the rest will take, from what parts like it took."""

import collections
from collections.abc import Collection, Mapping
from typing import NamedTuple, TypeAlias

Part: TypeAlias = tuple[str, ...]  # The general first: ("attack", "pgd", "clip", "4/255").

_IDLE = 0.02  # Seconds in which nothing was done.
_EARLY = 0.5  # Of what is planned: attacks on the embedded models took 0.03 to 1.


class _Taken(NamedTuple):
  amount: int = 0
  seconds: float = 0.0

  def more(self, amount: int, seconds: float) -> "_Taken":
    return _Taken(self.amount + amount, self.seconds + seconds)


class TimeLeft:
  """An estimate that plans alone cannot give: an attack ends where a model is fooled.

  A part that was measured has its own pace, and one that was not that of the parts which share most
  of its name. What has to be prepared is counted apart, once for parts that differ in their last
  name alone. A part's first piece is slow all the same: it counts while there is no other. One that
  took no time had nothing to do, as an attack on what is wrong already: it counts with the next.

  Args:
    planned: work by part.
    early: first names of parts that mostly end before all of it is done.
  """

  def __init__(self, planned: Mapping[Part, int], early: Collection[str] = ()):
    self._left, self._early = dict(planned), early
    self._first: dict[Part, _Taken] = {}
    self._later: dict[Part, _Taken] = {}
    self._prepared: dict[Part, float] = {}
    self._idle: dict[Part, int] = {}

  def skip(self, part: Part, amount: int) -> None:
    """So much was done elsewhere or before."""
    self._left[part] -= amount

  def took(self, part: Part, amount: int, seconds: float, prepared: float = 0.0) -> None:
    """So much was done here.

    Args:
      part: of the work.
      amount: of it.
      seconds: that it took in all.
      prepared: of these, what was spent on what need not be done again.
    """
    self.skip(part, amount)
    group = part[:-1]
    begun = group in self._prepared or group in self._idle
    if seconds < _IDLE and self._first and not begun:
      self._idle[group] = amount
      return
    amount += self._idle.pop(group, 0)
    if 2 * prepared > seconds:  # The rest went with it, and nobody can tell how much was work.
      amount, prepared = 0, seconds
    taken = amount, seconds - prepared
    self._prepared[group] = self._prepared.get(group, 0.0) + prepared
    if part in self._first:
      self._later[part] = self._later.get(part, _Taken()).more(*taken)
    elif amount:
      self._first[part] = _Taken(*taken)

  def seconds(self) -> float | None:
    """Until all is done; None before any pace is known."""
    seconds = self._seconds()
    return None if seconds is None else sum(seconds.values())

  def is_guess(self) -> bool:
    """Whether most of that time is of parts of whose like, by the first two names, none is known.

    Their pace may be any: of an attack that ends early, a fiftieth of what is planned.
    """
    seconds, known = self._seconds() or {}, {part[:2] for part in dict(self._first)}
    unknown = sum(some for part, some in seconds.items() if part[:2] not in known)
    return 2 * unknown > sum(seconds.values())

  def _seconds(self) -> dict[Part, float] | None:
    """What each part still takes; see `seconds`."""
    paces = self._paces()
    if () not in paces:
      return None
    left = {part: amount for part, amount in dict(self._left).items() if amount > 0}
    for kind in self._early:
      paces.setdefault((kind,), _EARLY * paces[()])
    seconds = {part: amount * _nearest(paces, part) for part, amount in left.items()}
    prepared = self._preparations()
    begin = {part[:-1]: part for part in left if part[:-1] not in self._prepared}
    return seconds | {part: seconds[part] + _nearest(prepared, part) for part in begin.values()}

  def _paces(self) -> dict[Part, float]:
    """Seconds of a unit: of parts by their later pieces, of all whose names begin so by all."""
    together: dict[Part, _Taken] = collections.defaultdict(_Taken)
    later = dict(self._later)
    for part, first in dict(self._first).items():
      rest = later.get(part, _Taken())
      together[part] = rest if rest.amount else first
      for start in _starts(part):
        together[start] = together[start].more(*first).more(*rest)
    return {name: taken.seconds / taken.amount for name, taken in together.items() if taken.amount}

  def _preparations(self) -> dict[Part, float]:
    """Seconds, on average of all whose names begin so."""
    together: dict[Part, list[float]] = collections.defaultdict(list)
    for part, seconds in dict(self._prepared).items():
      for start in [*_starts(part), part]:
        together[start].append(seconds)
    return {name: sum(some) / len(some) for name, some in together.items()}


def _starts(part: Part) -> list[Part]:
  """Of its name, the shortest first."""
  return [part[:length] for length in range(len(part))]


def _nearest(known: Mapping[Part, float], part: Part) -> float:
  return next(known[name] for name in [part, *reversed(_starts(part))] if name in known)
