"""How long the rest will take, from what parts like it took."""

import collections
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Part: TypeAlias = tuple[str, ...]  # From the general to the particular: ("attack", "pgd", "clip").


class _Taken(NamedTuple):
  amount: int = 0
  seconds: float = 0.0

  def more(self, amount: int, seconds: float) -> "_Taken":
    return _Taken(self.amount + amount, self.seconds + seconds)


class TimeLeft:
  """An estimate that plans alone cannot give: an attack ends where a model is fooled.

  A part that was measured has its own pace, and one that was not that of the parts which share most
  of its name. The first piece of a part compiles: it counts while there is no other, and for parts
  that are still to have theirs.

  Args:
    planned: work by part.
  """

  def __init__(self, planned: Mapping[Part, int]):
    self._left = dict(planned)
    self._first: dict[Part, _Taken] = {}
    self._later: dict[Part, _Taken] = {}

  def skip(self, part: Part, amount: int) -> None:
    """So much was done elsewhere or before."""
    self._left[part] -= amount

  def took(self, part: Part, amount: int, seconds: float) -> None:
    """So much was done here."""
    self.skip(part, amount)
    if part in self._first:
      self._later[part] = self._later.get(part, _Taken()).more(amount, seconds)
    else:
      self._first[part] = _Taken(amount, seconds)

  def seconds(self) -> float | None:
    """Until all is done; None before anything is."""
    paces = self._paces()
    if () not in paces:
      return None
    return sum(left * _nearest(paces, part) for part, left in self._left.items() if left > 0)

  def _paces(self) -> dict[Part, float]:
    """Seconds of a unit: of parts by their later pieces, of all whose names begin so by all."""
    together: dict[Part, _Taken] = collections.defaultdict(_Taken)
    later = dict(self._later)
    for part, first in dict(self._first).items():
      rest = later.get(part, _Taken())
      together[part] = rest if rest.amount else first
      for length in range(len(part)):
        start = part[:length]
        together[start] = together[start].more(*first).more(*rest)
    return {name: taken.seconds / taken.amount for name, taken in together.items() if taken.amount}


def _nearest(paces: Mapping[Part, float], part: Part) -> float:
  return next(paces[part[:length]] for length in range(len(part), -1, -1) if part[:length] in paces)
