"""What is made of one side of a retrieval set, once: kept beside the run, piece by piece."""

import dataclasses
import functools
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from absl import logging
from etils import epath

from jaxbench import blocks, data, devices, errors, models
from jaxbench.distributed import hosts
from jaxbench.models.parts.layers import normalize
from jaxbench.plan.perturbations.base import Made
from jaxbench.storage import atomic
from jaxbench.telemetry import clock

FOLDER = "galleries"


@dataclasses.dataclass(frozen=True)
class Shown:
  """What is done to the items of a gallery; it is known by its name."""

  preprocess: models.Preprocess
  name: str  # Of what is done, with all that decides it.
  # Of a block of items, batches of what encoders take: images or tokens.
  made: Made = dataclasses.field(compare=False)


class Encoder(NamedTuple):
  """What embeds items."""

  program: devices.Replicated  # From items to features [B, D].
  weights: str  # Hash of what decides these.


# Of a block of items, what pieces hold of it, one a folder; some folders have theirs.
Making = Callable[[blocks.Block, list[epath.Path]], list[np.ndarray]]


class Galleries:
  """Those of a run. What is killed goes on at the next piece, and hosts begin at different ones.

  Args:
    workdir: of the run; a piece that is there wins, so that all hosts have the same bits.
    size: items of a piece.
    workers: processes that decode; 0 is threads of this one.
    cache: folder of decoded images; None decodes all.
    host: this process's place among the others.
  """

  def __init__(
    self,
    workdir: epath.PathLike,
    size: int,
    workers: int,
    cache: epath.PathLike | None,
    host: hosts.Host,
  ):
    self._folder, self._size = epath.Path(workdir) / FOLDER, size
    self._workers, self._cache, self._host = workers, cache, host

  def embeddings(self, source: data.Source, shown: Shown, encoder: Encoder) -> np.ndarray:
    """float32 [N, D] of all items of a source, unit rows; see `fill`."""
    folder = self._place(source, shown.preprocess, shown.name, encoder.weights)
    return self._whole(source, folder, "f", lambda: self.fill(source, shown, [encoder]))

  def texts(
    self,
    source: data.Source,
    preprocess: models.Preprocess,
    name: str,
    weights: str,
    write: Callable[[blocks.Block], np.ndarray],
  ) -> np.ndarray:
    """Strings [N, M] that are written of all items of a source.

    Args:
      source: of the items.
      preprocess: of their images.
      name: of what is done, with all that decides it.
      weights: hash of the model that decides what is written.
      write: strings [B, M] of a block of items.
    """
    folder = self._place(source, preprocess, name, weights)
    fill = functools.partial(
      self._fill, source, preprocess, [folder], lambda block, _: [write(block)]
    )
    return self._whole(source, folder, "U", fill)

  def _whole(
    self, source: data.Source, folder: epath.Path, kind: str, fill: Callable[[], None]
  ) -> np.ndarray:
    """All pieces of a folder, of that kind of array; `fill` makes those that are lacking."""
    parts = self._parts(source)
    while True:
      fill()
      found = [_read(_file(folder, number), len(part), kind) for number, part in enumerate(parts)]
      whole = [piece for piece in found if piece is not None]
      if len(whole) == len(found):
        return np.concatenate(whole)

  @clock.preparing()
  def fill(self, source: data.Source, shown: Shown, encoders: Sequence[Encoder]) -> None:
    """Makes the embeddings that are lacking: items are made once for all encoders.

    Args:
      source: of the items.
      shown: what becomes of them before the encoders.
      encoders: each has a gallery of its own.

    Raises:
      InputError: an image cannot be read: without it, the others would be found more often.
    """
    place = functools.partial(self._place, source, shown.preprocess, shown.name)
    folders = {place(each.weights): each for each in encoders}

    def make(block: blocks.Block, left: list[epath.Path]) -> list[np.ndarray]:
      pieces: list[list[np.ndarray]] = [[] for _ in left]
      wanted = [folders[each] for each in left]
      for batch, embedded in devices.late(_embedded(shown.made(block), wanted)):
        for piece, result in zip(pieces, embedded, strict=True):
          piece.append(devices.Batch(batch.examples, result).fetch())
      return [np.concatenate(piece) for piece in pieces]

    self._fill(source, shown.preprocess, list(folders), make)

  def _fill(
    self,
    source: data.Source,
    preprocess: models.Preprocess,
    folders: Sequence[epath.Path],
    make: Making,
  ) -> None:
    """Makes the pieces that folders lack, those first that no other host begins with."""
    parts = self._parts(source)
    first = len(parts) * self._host.index // self._host.count
    order = [*range(first, len(parts)), *range(first)]
    while lacking := [number for number in order if _lacking(folders, number)]:
      share = lacking[: -(-len(lacking) // self._host.count)]  # The rest may be another host's.
      self._make(source, {number: parts[number] for number in share}, preprocess, folders, make)

  def _parts(self, source: data.Source) -> list[list[int]]:
    places = range(0, len(source), self._size)
    return [list(range(start, min(start + self._size, len(source)))) for start in places]

  def _place(
    self, source: data.Source, preprocess: models.Preprocess, name: str, weights: str
  ) -> epath.Path:
    """By what decides the pieces, and what rounds them."""
    device = jax.local_devices()[0].device_kind
    how = [name, repr(preprocess), self._size, jax.__version__, device]
    decisive = json.dumps([weights, source.sha256, *how]).encode()
    return self._folder / hashlib.blake2b(decisive, digest_size=16).hexdigest()

  def _make(
    self,
    source: data.Source,
    parts: dict[int, list[int]],
    preprocess: models.Preprocess,
    folders: Sequence[epath.Path],
    make: Making,
  ) -> None:
    """Writes pieces, but for those that another host has written meanwhile."""
    stream = blocks.stream(
      source, list(parts.values()), preprocess, [0] * len(parts), self._workers, self._cache
    )
    for number, (block, lost) in zip(parts, stream, strict=True):
      if lost.ids:
        raise errors.InputError(
          f"{lost.errors[0]}: it is searched with all the others, which without it would be found "
          "more often; mend it, or leave its captions out too"
        )
      if not (left := _lacking(folders, number)):
        continue
      for folder, piece in zip(left, make(block, left), strict=True):
        _keep(_file(folder, number), piece)


def _lacking(folders: Iterable[epath.Path], number: int) -> list[epath.Path]:
  """The folders that have no such piece."""
  return [each for each in folders if not _file(each, number).exists()]


def _embedded(
  batches: Iterator[devices.Batch], encoders: list[Encoder]
) -> Iterator[tuple[devices.Batch, list[jax.Array]]]:
  """Items, and their embeddings by each encoder; nothing is waited for."""
  for batch in batches:
    yield batch, [embed()(encoder.program, batch.result) for encoder in encoders]


@functools.cache
def embed() -> Callable[..., jax.Array]:
  """A sharded program (encoder, items) -> float32 [B, D], unit rows."""

  def embedded(encoder: Callable[[jax.Array], jax.Array], items: jax.Array) -> jax.Array:
    return normalize(encoder(items))

  return devices.shard(embedded)


def _file(folder: epath.Path, number: int) -> epath.Path:
  return folder / f"{number:06d}.npy"


def _keep(file: epath.Path, piece: np.ndarray) -> None:
  buffer = io.BytesIO()
  np.save(buffer, piece)
  file.parent.mkdir(parents=True, exist_ok=True)
  atomic.create(file, buffer.getvalue())


def _read(file: epath.Path, rows: int, kind: str) -> np.ndarray | None:
  """Floats or strings [rows, D]; None if it is damaged, which is logged, and gone then."""
  try:
    piece = np.load(io.BytesIO(file.read_bytes()), allow_pickle=False)
    if piece.dtype.kind != kind or piece.ndim != 2 or len(piece) != rows:
      raise ValueError(f"it holds {piece.dtype} {list(piece.shape)}")
  except (ValueError, EOFError) as error:
    logging.warning("%s is damaged (%s): it is made anew", file, error)
    file.unlink(missing_ok=True)
    return None
  return piece
