"""Keeps the slots of all devices filled, one attack after another; no arithmetic happens here."""

import dataclasses
import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxbench import devices
from jaxbench.attacks.base import Attack, Cascade, as_run
from jaxbench.attacks.engine import slots, verdict, visibility
from jaxbench.attacks.engine.job import NOBODY, Search, Waiting
from jaxbench.attacks.engine.slots import Orders, Report, Slots

_LIMIT = 128  # Steps before the host has a look, whatever happens.
# The end of the work runs in a quarter of the slots, unless that is too few for a second program to
# save more than it takes to compile.
_TAIL, _FEWEST = 4, 8
_AGAIN = 3  # Times that an example is searched again after its claim was refuted.
_ULPS = 2 * np.finfo(np.float32).eps  # What rounding may part two logits by, as a share of them.


class Examples(NamedTuple):
  """What is attacked, on the host; one row each."""

  words: np.ndarray  # [N, 2] uint32: the data of threefry keys.
  images: np.ndarray  # [N, H, W, 3] float32 in [0, 1] or uint8.
  labels: np.ndarray  # [N] int32.
  searched: np.ndarray  # [N] int32: the labels, as the searcher counts classes (`view.searched`).
  epsilons: np.ndarray  # [N] float32; for a bisection, the largest to try.
  masks: np.ndarray | None = None  # [N, H, W, 3] bool: what may change; None: everything.
  starts: np.ndarray | None = None  # [N, H, W, 3] float32: where to begin; None: anywhere.

  def some(self, rows: np.ndarray) -> "Examples":
    """Those at `rows`."""
    given = {name: array[rows] for name, array in self._asdict().items() if array is not None}
    return Examples(**given)


class Settings(NamedTuple):
  """How the engine works."""

  slots: int  # Per device.
  quantize: bool = False
  tolerance: float | None = None  # Bisect for the smallest epsilon.
  surrogate: bool = False  # What is searched is not what judges, so that claims are not about it.
  visibility: bool = False  # Also measure how visible what is returned is.
  aimed: bool = False  # Classifier and searchers are `Aimed`, and success is that of their goal.


@dataclasses.dataclass
class Tally:
  """What the slots of all devices did."""

  useful: int = 0  # Steps of single slots that worked on an example.
  offered: int = 0  # Steps times slots.

  @property
  def occupancy(self) -> float:
    """The share of slot steps that worked on an example."""
    return self.useful / self.offered if self.offered else 1.0


class Harvest(NamedTuple):
  """Examples that one attack has finished with."""

  stage: int  # Index of the attack in its cascade.
  rows: np.ndarray  # [n], of `Examples`.
  final: np.ndarray  # [n] bool: nothing more will come of this example.
  success: np.ndarray  # [n] bool.
  costs: dict[str, np.ndarray]  # Those of `COSTS`, [n] int32: so far, in all.
  fetch: Callable[[str], np.ndarray]  # A column of `Verdict`, or of `Visibility`, [n, ...].


COSTS = ("steps", "forwards", "backwards", "refuted")  # The last: claims that the judge refuted.


def attack(
  cascade: Cascade,
  classifier: devices.Replicated | None,
  searchers: Sequence[devices.Replicated],
  examples: Examples,
  settings: Settings,
  tally: Tally,
) -> Iterator[Harvest]:
  """Attacks all examples, which the classifier has right, and yields them as they finish.

  Where the judge refutes what an attack claims, the search goes on: with the next searcher or, if
  there is none, with a handicap for the label that makes up for what was lacking (another rounding,
  other neighbours in the batch).

  Args:
    cascade: attacks, each on what those before it left.
    classifier: judges; without one, what attacks claim is taken for a success.
    searchers: what is searched, the cheapest first; the last is as precise as the classifier.
    examples: in any number. The forward pass that had them right is counted as theirs.
    settings: of the engine.
    tally: is added to.
  """
  rows: Sequence[int] = range(len(examples.labels))
  costs = {name: np.zeros(len(rows), np.int32) for name in COSTS}
  costs["forwards"] += 1
  for stage, written in enumerate(cascade.attacks):
    runnable = as_run(written, bisected=settings.tolerance is not None)
    search = Search(runnable, settings.quantize, settings.tolerance, settings.aimed)
    handicaps, survivors = np.zeros(len(examples.labels), np.float32), []
    turns = deque(searchers[:1] if settings.surrogate else [*searchers, *[searchers[-1]] * _AGAIN])
    while turns and len(rows):
      searcher, refuted = turns.popleft(), []
      engine = stage, settings.slots, settings.visibility
      work = _Work(search, engine, classifier, searcher, examples, handicaps, tally)
      for finished, fetch in work.run(rows):
        success = (
          fetch("claimed")
          if classifier is None
          else _success(settings, fetch, examples.labels[finished])
        )
        steps = fetch("steps")
        wrong = fetch("claimed") & ~success & (not settings.surrogate)
        costs["steps"][finished] += steps
        costs["forwards"][finished] += 1 + runnable.forwards * steps
        costs["backwards"][finished] += runnable.backwards * steps
        costs["refuted"][finished] += wrong
        again, left = wrong & bool(turns), ~success & ~(wrong & bool(turns))
        if again.any() and searcher is searchers[-1]:
          lead, size = _leads(settings, fetch, again, examples.labels[finished[again]])
          lacking = lead + _ULPS * size
          handicaps[finished[again]] = 2 * np.maximum(handicaps[finished[again]], lacking)
        refuted += finished[again].tolist()
        survivors += finished[left].tolist()
        final = success | (left & (stage == len(cascade.attacks) - 1))
        so_far = {name: array[finished] for name, array in costs.items()}
        yield Harvest(stage, finished, final, success, so_far, fetch)
      rows = sorted(refuted)
    rows = sorted(survivors)


def _success(
  settings: Settings, fetch: Callable[[str], np.ndarray], labels: np.ndarray
) -> np.ndarray:
  return fetch("excess") > 0 if settings.aimed else fetch("prediction") != labels


def _leads(
  settings: Settings, fetch: Callable[[str], np.ndarray], rows: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """By how much what was claimed is lacking in some rows, and the size of logits there."""
  logits = fetch("logits")[rows]
  if settings.aimed:
    return -fetch("excess")[rows], np.abs(logits).max(axis=1)
  return verdict.leads(logits, labels)


def trace(
  attack: Attack, searcher: devices.Replicated, settings: Settings, side: int
) -> jax.stages.Traced:
  """The program that an attack spends its time in, for uint8 images [side, side, 3]."""
  runnable = as_run(attack, bisected=settings.tolerance is not None)
  search = Search(runnable, settings.quantize, settings.tolerance, settings.aimed)
  count = devices.mesh().size

  def like(dtype: Any, *shape: int) -> Any:
    return jax.ShapeDtypeStruct((settings.slots * count, *shape), dtype)

  waiting = Waiting(
    row=like(np.int32),
    words=like(np.uint32, 2),
    image=like(np.uint8, side, side, 3),
    label=like(np.int32),
    epsilon=like(np.float32),
    handicap=like(np.float32),
  )
  number: Any = jax.ShapeDtypeStruct((count,), np.int32)
  orders = Orders(number, number, number, number)
  arguments = slots.shapes(search, waiting), waiting, orders
  return _advance(search).trace(searcher, *devices.scattered(arguments))


@functools.cache
def _advance(search: Search) -> jax.stages.Wrapped:
  return devices.shard(slots.advance(search), donate=(1,))


@functools.cache
def _compact(size: int) -> Callable[..., Any]:
  return devices.shard(slots.compact(size), network=False)


class _Flight(NamedTuple):
  """A chunk of steps that the devices have been told to take."""

  seats: np.ndarray  # [devices, size] rows in the waiting room, or NOBODY.
  judged: Any
  seen: Any  # A `Visibility`, or None if it was not asked for.
  report: Report


class _Work:
  """One attack on some examples."""

  def __init__(
    self,
    search: Search,
    engine: tuple[int, int, bool],  # Stage of the cascade, slots, whether to measure visibility.
    classifier: devices.Replicated | None,
    searcher: devices.Replicated,
    examples: Examples,
    handicaps: np.ndarray,
    tally: Tally,
  ):
    self._search = search
    self._stage, most_slots, self._visibility = engine
    self._classifier, self._searcher = classifier, searcher
    self._examples, self._handicaps, self._tally = examples, handicaps, tally
    self._devices = devices.mesh().size
    self._size = self._most = most_slots
    self._queue: deque[int] = deque()
    self._slots: Slots | None = None
    self._blank: Waiting | None = None  # A waiting room without examples.
    self._occupied = np.zeros(self._devices, np.int32)  # Slots, when last heard.

  def run(self, rows: Sequence[int]) -> Iterator[tuple[np.ndarray, Callable[[str], np.ndarray]]]:
    """Yields (rows, fetch) as the examples at `rows` finish."""
    self._queue.extend(rows)
    self._size = self._fitting(-(-len(rows) // self._devices))
    self._blank = self._waiting(self._nobody())
    self._slots = devices.scatter(slots.vacant(self._search, self._blank))
    flights: deque[_Flight] = deque()
    while self._queue or flights or self._occupied.any():
      if self._queue or not flights:
        flights.append(self._dispatch())
      # While there is work to hand out, a chunk is read when the next one is under way.
      if len(flights) > 1 or not self._queue:
        flight = flights.popleft()
        self._read(flight)
        yield from _harvest(flight)
        if not self._queue and not flights:
          self._shrink()

  def _dispatch(self) -> _Flight:
    """Tells the devices to go on, with as many fresh examples as there are seats."""
    seats = self._nobody()
    count = min(len(self._queue), seats.size)
    rows = np.array([self._queue.popleft() for _ in range(count)], np.int64)
    fresh = np.array([len(rows[d :: self._devices]) for d in range(self._devices)])
    for device in range(self._devices):
      seats[device, : fresh[device]] = rows[device :: self._devices]
    tail = self._fitting(0)
    floor = np.where(self._occupied > tail, tail, self._occupied // 2)
    numbers = {"fresh": fresh, "limit": _LIMIT, "floor": floor, "stage": self._stage}
    each = {name: np.full(self._devices, value, np.int32) for name, value in numbers.items()}
    orders = Orders(**devices.scatter(each))
    waiting = self._waiting(seats) if count else self._blank
    self._slots, left, report = _advance(self._search)(self._searcher, self._slots, waiting, orders)
    norm, seen = self._search.attack.norm, None
    if self._classifier is None:
      judged = verdict.unjudged(norm)(devices.replicate(()), left)
    else:
      judged = verdict.judge(norm)(self._classifier, left)
    if self._visibility:
      seen = visibility.measure()(devices.replicate(()), left.clean, judged.image)
    return _Flight(seats, judged, seen, report)

  def _read(self, flight: _Flight) -> None:
    """Waits for a chunk; puts back in the queue what found no slot."""
    report = devices.fetch(flight.report)
    self._tally.useful += int(report.useful.sum())
    self._tally.offered += int(report.steps.sum()) * flight.seats.shape[1]
    for seats, taken in zip(flight.seats, report.taken, strict=True):
      self._queue.extend(row for row in seats[taken:].tolist() if row != NOBODY)
    self._occupied = report.occupied

  def _shrink(self) -> None:
    """Goes on with fewer slots, when they are enough for the busiest device."""
    size = self._fitting(int(self._occupied.max()))
    if size < self._size and self._occupied.any():
      self._slots = _compact(size)(self._searcher, self._slots)
      self._size = size
      self._blank = self._waiting(self._nobody())

  def _fitting(self, count: int) -> int:
    """The smaller of the two sizes that programs are compiled for, if it is large enough."""
    tail = self._most // _TAIL
    return tail if tail >= max(count, _FEWEST) else self._most

  def _nobody(self) -> np.ndarray:
    return np.full((self._devices, self._size), NOBODY, np.int64)

  def _waiting(self, seats: np.ndarray) -> Waiting:
    rows = seats.ravel()
    existing = np.maximum(rows, 0)  # Whatever is in an empty seat is not read.
    columns = {
      "row": rows.astype(np.int32),
      "words": self._examples.words[existing],
      "image": self._examples.images[existing],
      "label": self._examples.searched[existing],
      "epsilon": self._examples.epsilons[existing],
      "handicap": self._handicaps[existing],
    }
    for name, arrays in {"mask": self._examples.masks, "start": self._examples.starts}.items():
      if arrays is not None:
        columns[name] = arrays[existing]
    return Waiting(**devices.scatter(columns))


def _harvest(flight: _Flight) -> Iterator[tuple[np.ndarray, Callable[[str], np.ndarray]]]:
  rows = devices.fetch(flight.judged.row)
  left = rows != NOBODY
  if left.any():

    def fetch(name: str) -> np.ndarray:
      found = flight.judged if hasattr(flight.judged, name) else flight.seen
      return devices.fetch(getattr(found, name))[left]

    yield rows[left], fetch
