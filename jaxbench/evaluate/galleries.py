"""Embeddings of all images of a retrieval set, made once: kept beside the run, piece by piece."""

import functools
import hashlib
import io
import json
from collections.abc import Callable

import jax
import numpy as np
from absl import logging
from etils import epath

from jaxbench import attacks, blocks, data, devices, errors, models
from jaxbench.distributed import hosts
from jaxbench.models.parts.layers import normalize
from jaxbench.storage import atomic

FOLDER = "galleries"


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
    encoder: devices.Replicated,
    weights: str,
    preprocess: models.Preprocess,
    slots: int,
  ) -> np.ndarray:
    """float32 [N, D] of all images of a source, unit rows.

    Args:
      source: of the images.
      encoder: from images to features [B, D].
      weights: hash of what decides them.
      preprocess: what is done to images.
      slots: images per device and batch.

    Raises:
      InputError: an image cannot be read: without it, the others would be found more often.
    """
    places = range(0, len(source), self._size)
    parts = [list(range(start, min(start + self._size, len(source)))) for start in places]
    folder = self._folder / self._address(source, weights, preprocess)
    first = len(parts) * self._host.index // self._host.count
    order = [*range(first, len(parts)), *range(first)]
    while lacking := [number for number in order if not _file(folder, number).exists()]:
      number = lacking[0]
      piece = self._piece(source, parts[number], encoder, preprocess, slots)
      _keep(_file(folder, number), piece)
    found = [_read(_file(folder, number), len(part)) for number, part in enumerate(parts)]
    if damaged := [number for number, piece in enumerate(found) if piece is None]:
      for number in damaged:
        _file(folder, number).unlink(missing_ok=True)
      return self.embeddings(source, encoder, weights, preprocess, slots)
    return np.concatenate([piece for piece in found if piece is not None])

  def _address(self, source: data.Source, weights: str, preprocess: models.Preprocess) -> str:
    """Of what decides the embeddings, and of what rounds them."""
    device = jax.local_devices()[0].device_kind
    decisive = [weights, source.sha256, repr(preprocess), self._size, jax.__version__, device]
    return hashlib.blake2b(json.dumps(decisive).encode(), digest_size=16).hexdigest()

  def _piece(
    self,
    source: data.Source,
    part: list[int],
    encoder: devices.Replicated,
    preprocess: models.Preprocess,
    slots: int,
  ) -> np.ndarray:
    ((block, lost),) = blocks.stream(source, [part], preprocess, [0], self._workers, self._cache)
    if lost.ids:
      raise errors.InputError(
        f"{lost.errors[0]}: it is searched with all the others, which without it would be found "
        "more often; mend it, or leave its captions out too"
      )
    batches = devices.stream(_embed(), encoder, (block.images,), slots)
    return np.concatenate([batch.fetch() for batch in batches])


@functools.cache
def _embed() -> Callable[..., jax.Array]:
  """A sharded program (encoder, images) -> float32 [B, D], unit rows."""

  def embed(encoder: Callable[[jax.Array], jax.Array], images: jax.Array) -> jax.Array:
    return normalize(encoder(attacks.as_float(images)))

  return devices.shard(embed)


def _file(folder: epath.Path, number: int) -> epath.Path:
  return folder / f"{number:06d}.npy"


def _keep(file: epath.Path, piece: np.ndarray) -> None:
  buffer = io.BytesIO()
  np.save(buffer, piece)
  file.parent.mkdir(parents=True, exist_ok=True)
  atomic.create(file, buffer.getvalue())


def _read(file: epath.Path, rows: int) -> np.ndarray | None:
  """float32 [rows, D]; None if it is damaged, which is logged."""
  try:
    piece = np.load(io.BytesIO(file.read_bytes()), allow_pickle=False)
    if piece.dtype != np.float32 or piece.ndim != 2 or len(piece) != rows:
      raise ValueError(f"it holds {piece.dtype} {list(piece.shape)}")
  except (ValueError, EOFError) as error:
    logging.warning("%s is damaged (%s): its images are embedded anew", file, error)
    return None
  return piece
