"""Embeddings of all images of a retrieval set, made once: kept beside the run, piece by piece."""

import dataclasses
import functools
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from absl import logging
from etils import epath

from jaxbench import blocks, data, devices, errors, models
from jaxbench.distributed import hosts
from jaxbench.models.parts.layers import normalize
from jaxbench.storage import atomic

FOLDER = "galleries"


@dataclasses.dataclass(frozen=True)
class Shown:
  """What is done to the images of a gallery; it is known by its name."""

  preprocess: models.Preprocess
  name: str  # Of what the program does, with all that decides it.
  program: Callable[..., jax.Array] = dataclasses.field(compare=False)  # See `Evaluator.predict`.
  inputs: Any = dataclasses.field(compare=False)


class Galleries:
  """Those of a run. What is killed goes on at the next piece, and hosts begin at different ones.

  Args:
    workdir: of the run; a piece that is there wins, so that all hosts have the same bits.
    size: images of a piece.
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

  def embeddings(
    self,
    source: data.Source,
    shown: Shown,
    encoder: devices.Replicated,
    weights: str,
    slots: int,
  ) -> np.ndarray:
    """float32 [N, D] of all images of a source, unit rows.

    Args:
      source: of the images.
      shown: what becomes of them before the encoder.
      encoder: from images to features [B, D].
      weights: hash of what decides them.
      slots: images per device and batch.

    Raises:
      InputError: an image cannot be read: without it, the others would be found more often.
    """
    places = range(0, len(source), self._size)
    parts = [list(range(start, min(start + self._size, len(source)))) for start in places]
    folder = self._folder / self._address(source, shown, weights)
    first = len(parts) * self._host.index // self._host.count
    order = [*range(first, len(parts)), *range(first)]
    while True:
      while lacking := [number for number in order if not _file(folder, number).exists()]:
        share = lacking[: -(-len(lacking) // self._host.count)]  # The rest may be another host's.
        self._make(
          source, {number: parts[number] for number in share}, shown, encoder, folder, slots
        )
      found = [_read(_file(folder, number), len(part)) for number, part in enumerate(parts)]
      whole = [piece for piece in found if piece is not None]
      if len(whole) == len(parts):
        return np.concatenate(whole)

  def _address(self, source: data.Source, shown: Shown, weights: str) -> str:
    """Of what decides the embeddings, and of what rounds them."""
    device = jax.local_devices()[0].device_kind
    how = [shown.name, repr(shown.preprocess), self._size, jax.__version__, device]
    decisive = json.dumps([weights, source.sha256, *how]).encode()
    return hashlib.blake2b(decisive, digest_size=16).hexdigest()

  def _make(
    self,
    source: data.Source,
    parts: dict[int, list[int]],
    shown: Shown,
    encoder: devices.Replicated,
    folder: epath.Path,
    slots: int,
  ) -> None:
    """Writes pieces, but for those that another host has written meanwhile."""
    stream = blocks.stream(
      source, list(parts.values()), shown.preprocess, [0] * len(parts), self._workers, self._cache
    )
    inputs = devices.replicate(shown.inputs)
    for number, (block, lost) in zip(parts, stream, strict=True):
      if lost.ids:
        raise errors.InputError(
          f"{lost.errors[0]}: it is searched with all the others, which without it would be found "
          "more often; mend it, or leave its captions out too"
        )
      if _file(folder, number).exists():
        continue
      batches = devices.dispatch(shown.program, inputs, (block.hashes, block.images), slots)
      embedded = (
        devices.Batch(batch.examples, _embed()(encoder, batch.result)) for batch in batches
      )
      pieces = [batch.fetch() for batch in devices.late(embedded)]
      _keep(_file(folder, number), np.concatenate(pieces))


@functools.cache
def _embed() -> Callable[..., jax.Array]:
  """A sharded program (encoder, images) -> float32 [B, D], unit rows."""

  def embed(encoder: Callable[[jax.Array], jax.Array], images: jax.Array) -> jax.Array:
    return normalize(encoder(images))

  return devices.shard(embed)


def _file(folder: epath.Path, number: int) -> epath.Path:
  return folder / f"{number:06d}.npy"


def _keep(file: epath.Path, piece: np.ndarray) -> None:
  buffer = io.BytesIO()
  np.save(buffer, piece)
  file.parent.mkdir(parents=True, exist_ok=True)
  atomic.create(file, buffer.getvalue())


def _read(file: epath.Path, rows: int) -> np.ndarray | None:
  """float32 [rows, D]; None if it is damaged, which is logged, and gone then."""
  try:
    piece = np.load(io.BytesIO(file.read_bytes()), allow_pickle=False)
    if piece.dtype != np.float32 or piece.ndim != 2 or len(piece) != rows:
      raise ValueError(f"it holds {piece.dtype} {list(piece.shape)}")
  except (ValueError, EOFError) as error:
    logging.warning("%s is damaged (%s): its images are embedded anew", file, error)
    file.unlink(missing_ok=True)
    return None
  return piece
