"""The nearest of many vectors by cosine, streamed through the devices of this host.

Each device keeps the best of its share of the vectors; the next piece is read and sent while they
work on one.
"""

import collections
from collections.abc import Iterable, Iterator
from concurrent import futures
from typing import Any, TypeVar

import numpy as np

from jaxbench import devices, errors
from jaxbench.overlap import kernel
from jaxbench.overlap.kernel import EXACT, Nearest, Settings

T = TypeVar("T")


class NotUnit(errors.InputError):
  """A vector that has not the length 1."""


def nearest(
  queries: np.ndarray, pieces: Iterable[np.ndarray], total: int, settings: Settings = EXACT
) -> Nearest:
  """The nearest of some vectors, which the devices of this host share.

  Args:
    queries: [Q, D], of any length but 0.
    pieces: the vectors, float [N, D] of length 1, in order and in parts of `piece_size(total)`.
    total: how many there are.
    settings: see there.

  Returns:
    numpy arrays.

  Raises:
    NotUnit: a vector has not the length 1, or is not finite.
    InputError: the settings cannot be had.
  """
  check(settings)
  tiles = devices.replicate(_tiles(queries))
  rows = devices.mesh().size * tiles.leaves[0].shape[0] * tiles.leaves[0].shape[1]
  best: Any = devices.scatter(_nothing(rows, settings.neighbours))
  pending: collections.deque[Any] = collections.deque()
  for batch in ahead(_batches(pieces, total)):
    best, bad = kernel.program(settings)(tiles, *devices.scatter(batch), *best)
    pending.append(bad)
    if len(pending) > 1:  # Two are under way at most.
      _check_lengths(pending.popleft())
  for bad in pending:
    _check_lengths(bad)
  by_device = Nearest(*(np.asarray(x).reshape(devices.mesh().size, -1, x.shape[-1]) for x in best))
  side_by_side = (np.concatenate(list(x), axis=-1)[: len(queries)] for x in by_device)
  similarity, row = side_by_side
  order = np.lexsort((row, -similarity), axis=-1)[:, : settings.neighbours]
  return Nearest(*(np.take_along_axis(x, order, axis=-1) for x in (similarity, row)))


def check(settings: Settings) -> None:
  """Raises InputError if the settings cannot be had."""
  if settings.dtype not in kernel.DTYPES:
    raise errors.unknown("search_dtype", settings.dtype, kernel.DTYPES)
  if not 1 <= settings.neighbours <= kernel.MOST:
    raise errors.InputError(f"neighbours={settings.neighbours}: ask for 1 to {kernel.MOST}")
  if not 0 < settings.recall <= 1:
    raise errors.InputError(f"recall={settings.recall} is a share: above 0, and 1 is exact")


def piece_size(total: int) -> int:
  """How many rows `nearest` takes at a time, of `total`."""
  each = -(-total // devices.mesh().size)
  return devices.mesh().size * min(
    kernel.cut().piece, max(kernel.MOST, 1 << (each - 1).bit_length())
  )


def ahead(items: Iterator[T]) -> Iterator[T]:
  """The same items; the next one is made in a thread while the caller works on one."""
  with futures.ThreadPoolExecutor(1) as pool:
    end = object()
    waiting = pool.submit(next, items, end)
    while (item := waiting.result()) is not end:
      waiting = pool.submit(next, items, end)
      yield item  # type: ignore[misc]


def _tiles(queries: np.ndarray) -> np.ndarray:
  """float32 [T, QT, D] of unit vectors, the last ones repeated."""
  exact = queries.astype(np.float64)
  unit = (exact / np.linalg.norm(exact, axis=1, keepdims=True)).astype(np.float32)
  cut = kernel.cut()
  each = -(-len(unit) // -(-len(unit) // cut.queries))  # Tiles alike, so that few are padding.
  size = -(-each // cut.together) * cut.together
  padded = np.pad(unit, ((0, -len(unit) % size), (0, 0)), mode="edge")
  return padded.reshape(-1, size, unit.shape[1])


def _nothing(rows: int, neighbours: int) -> Nearest:
  shape = (rows, neighbours)
  return Nearest(np.full(shape, -np.inf, np.float32), np.full(shape, kernel.NO_ROW, np.int32))


def _batches(pieces: Iterable[np.ndarray], total: int) -> Iterator[tuple[Any, ...]]:
  """Of each piece the first row and the number of rows of each device; the rows."""
  size, shares = piece_size(total), devices.mesh().size
  starts = np.arange(shares, dtype=np.int32) * (size // shares)
  first = 0
  for piece in pieces:
    counts = np.clip(len(piece) - starts, 0, size // shares).astype(np.int32)
    short = size - len(piece)
    whole = np.pad(piece, ((0, short), (0, 0))) if short else piece
    yield np.int32(first) + starts, counts, whole
    first += len(piece)


def _check_lengths(bad: Any) -> None:
  rows, norms = np.asarray(bad[0]), np.asarray(bad[1])
  if (rows >= 0).any():
    device = int(np.argmax(rows >= 0))
    raise NotUnit(
      f"vector {rows[device]} has the length {norms[device]:.4g}, not 1; normalise the vectors"
    )
