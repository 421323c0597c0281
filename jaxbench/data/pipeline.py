"""From a source to a model's pixels: decoded, resized and cropped ahead of who waits for them."""

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from jaxbench import errors
from jaxbench.data.decode import BadImage
from jaxbench.data.source import Source


class Batch(NamedTuple):
  """Some examples of a source, preprocessed, in the order that was asked for."""

  images: np.ndarray  # [N, S, S, 3] uint8; without those that cannot be read.
  labels: np.ndarray  # [N] int32.
  readable: np.ndarray  # [M] bool: which of the M that were asked for these N are.
  errors: list[str]  # Of the others.


class _Read(NamedTuple):
  image: np.ndarray | None
  error: str


def stream(
  source: Source,
  batches: Sequence[Sequence[int]],
  preprocess: Callable[[np.ndarray], np.ndarray],
  workers: int = 0,
) -> Iterator[Batch]:
  """Reads batch after batch; the next ones are made while the caller works on one.

  Within a batch, examples are read in the source's own order, a piece by each worker, which disks
  and row groups reward.

  Args:
    source: of the examples; with workers, it and `preprocess` are pickled.
    batches: indices into it.
    preprocess: uint8 [h, w, 3] -> uint8 [S, S, 3], as the model has it.
    workers: processes that read; 0 is threads of this one, which do as well on few cores, since
      Pillow decodes and resizes outside of Python's lock.
  """
  import grain  # Slow to import.

  starts = np.cumsum([0, *map(len, batches)]).tolist()
  orders = [
    _order(indices, start, workers) for indices, start in zip(batches, starts, strict=False)
  ]
  places = [
    int(indices[row]) for indices, order in zip(batches, orders, strict=True) for row in order
  ]
  dataset = grain.MapDataset.source(places).map(_Reader(source, preprocess)).to_iter_dataset()
  if workers:
    if not flags.FLAGS.is_parsed():  # In a notebook; grain's workers look at its flags.
      flags.FLAGS.mark_as_parsed()
    options = grain.MultiprocessingOptions(num_workers=workers)
    dataset = dataset.mp_prefetch(options)
  examples = _WithWorkers(dataset) if workers else iter(dataset)
  labels = source.labels
  try:
    for number, (indices, order) in enumerate(zip(batches, orders, strict=True), start=1):
      batch = _batch([labels[index] for index in indices], order, examples)
      if number == len(batches):
        next(examples, None)  # Only at their end do workers give back their shared memory.
      yield batch
  finally:
    examples.close()


def load_images(
  source: Source, indices: Sequence[int], preprocess: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
  """Reads some images at once, decoded, resized and cropped by threads.

  Args:
    source: of the images.
    indices: into it.
    preprocess: uint8 [h, w, 3] -> uint8 [S, S, 3], as the model has it.

  Returns:
    images uint8 [N, S, S, 3] and labels int32 [N], in the order of `indices`.

  Raises:
    InputError: an image cannot be read.
  """
  (batch,) = stream(source, [indices], preprocess)
  if batch.errors:
    raise errors.InputError(batch.errors[0])
  return batch.images, batch.labels


class _Reader:
  """What grain maps over indices; picklable, for its workers."""

  def __init__(self, source: Source, preprocess: Callable[[np.ndarray], np.ndarray]):
    self._source, self._preprocess = source, preprocess

  def __call__(self, index: int) -> _Read:
    try:
      return _Read(self._preprocess(self._source[index].image), "")
    except BadImage as error:
      return _Read(None, str(error))


class _WithWorkers(Iterator[_Read]):
  """The examples of a grain dataset, whose workers are from their birth deaf to Ctrl-C.

  It reaches all processes of a terminal; the main one finishes what it has and ends the others.
  """

  def __init__(self, dataset: Any):
    with _deaf():
      self._examples: Any = iter(dataset)
    self._first = True

  def __next__(self) -> _Read:
    with _deaf() if self._first else contextlib.nullcontext():
      self._first = False
      return next(self._examples)

  def close(self) -> None:
    """Ends the workers."""
    self._examples.close()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
  """Processes and threads that start in this block never see SIGINT."""
  resource_tracker.ensure_running()  # It would end the block.
  heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def _order(indices: Sequence[int], start: int, workers: int) -> np.ndarray:
  """That in which a batch is read, so that each worker has a piece of the source's own order.

  Args:
    indices: of the batch.
    start: how many examples are read before; workers take turns with one each.
    workers: how many.
  """
  order = np.argsort(indices, kind="stable")
  if workers > 1:
    turns = (start + np.arange(len(order))) % workers
    order[np.argsort(turns, kind="stable")] = order.copy()
  return order


def _batch(labels: Sequence[int], order: np.ndarray, examples: Iterator[_Read]) -> Batch:
  """The next examples, which come in an `order` of their own."""
  read: list[_Read] = [_Read(None, "")] * len(order)
  for row in order:
    read[row] = next(examples)
  images = [result.image for result in read if result.image is not None]
  readable = np.array([result.image is not None for result in read])
  return Batch(
    np.stack(images) if images else np.zeros((0, 0, 0, 3), np.uint8),
    np.asarray(labels, np.int32)[readable],
    readable,
    [result.error for result in read if result.image is None],
  )
