"""Which reference images are nearest to those of evaluation sets, shard by shard.

Each shard's neighbours are one file, which appears whole or not at all: a search that was killed
goes on with what there is, and hosts that take shares of the shards need no word of one another.
Whoever finds all shards done merges them; the order of merging decides nothing.
"""

import contextlib
import io
import zipfile
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from etils import epath

from jaxbench import errors
from jaxbench.overlap import embeddings, neighbours, shards
from jaxbench.overlap.embeddings import Embeddings
from jaxbench.overlap.kernel import EXACT, Nearest, Settings
from jaxbench.records.overlap import MATCHES
from jaxbench.storage import atomic, parquet
from jaxbench.telemetry.progress import Progress


class Merged(NamedTuple):
  """The nearest vectors of each query in several shards."""

  similarity: np.ndarray  # [Q, K] float32, descending.
  shard: np.ndarray  # [Q, K] int32, its place in the list; of equal cosines the first one leads,
  row: np.ndarray  # [Q, K] int32, and within it the smaller row.


def search(
  queries: Embeddings,
  reference: epath.PathLike,
  folder: epath.PathLike,
  settings: Settings = EXACT,
  *,
  index: int = 0,
  count: int = 1,
) -> int:
  """Looks at the shards of one host that nobody has looked at; merges when all are done.

  Args:
    queries: of evaluation sets.
    reference: shards, as `shards.find` takes them.
    folder: for the results; new, or with a part of the same search.
    settings: how neighbours are looked for.
    index: of this host; it takes every `count`-th shard.
    count: of hosts.

  Returns:
    How many shards nobody has looked at yet; at 0 there is `matches.parquet`.

  Raises:
    InputError: a shard is missing, broken, of another width or not of unit vectors, there are fewer
      vectors than neighbours, or the folder belongs to another search.
  """
  neighbours.check(settings)
  if not 0 <= index < count:
    raise errors.InputError(f"index={index} is not one of {count} hosts, 0 to {count - 1}")
  listed, root = shards.find(reference), epath.Path(folder)
  _check(queries, listed, reference, settings)
  described = {
    "queries": queries.described,
    "reference": str(reference),
    "shards": [[shard.file.name, shard.rows] for shard in listed],
    "settings": settings._asdict(),
  }
  embeddings.claim(root / "search.json", described)
  (root / "parts").mkdir(parents=True, exist_ok=True)
  share = listed[index::count]
  total = sum(shard.rows for shard in share)
  with contextlib.closing(Progress(total, 0, "vector")) as progress:
    for number, shard in enumerate(share):
      file = _part(root, index + number * count)
      if not file.exists():
        progress.show(shard.file.name)
        _write(file, _nearest(queries.vectors, shard, settings))
      progress.update(shard.rows)
  left = sum(not _part(root, number).exists() for number in range(len(listed)))
  if not left:
    parts = ((number, _read(_part(root, number))) for number in range(len(listed)))
    _publish(root / "matches.parquet", queries, listed, merge(parts))
  return left


def merge(parts: Iterable[tuple[int, Nearest]]) -> Merged:
  """The nearest of all shards, whatever order they come in.

  Args:
    parts: shards by their place in the list, at least one, of the same queries.
  """
  best: Merged | None = None
  for number, part in parts:
    similarity, row = (np.asarray(x) for x in part)
    of_shard = Merged(similarity, np.full(row.shape, number, np.int32), row)
    if best is None:
      best = of_shard
      continue
    both = Merged(*(np.concatenate(pair, axis=1) for pair in zip(best, of_shard, strict=True)))
    order = np.lexsort((both.row, both.shard, -both.similarity), axis=-1)[:, : row.shape[1]]
    best = Merged(*(np.take_along_axis(x, order, axis=1) for x in both))
  assert best is not None
  return best


def _check(
  queries: Embeddings,
  listed: list[shards.Shard],
  reference: epath.PathLike,
  settings: Settings,
) -> None:
  width, total = queries.vectors.shape[1], sum(shard.rows for shard in listed)
  if listed[0].width != width:
    raise errors.InputError(
      f"{reference} holds vectors of {listed[0].width} numbers, the queries have {width}: "
      "both must come from the same model"
    )
  if total < settings.neighbours:
    raise errors.InputError(f"{reference} holds {total} vectors, not {settings.neighbours}")


def _nearest(queries: np.ndarray, shard: shards.Shard, settings: Settings) -> Nearest:
  pieces = shard.pieces(neighbours.piece_size(shard.rows))
  try:
    return neighbours.nearest(queries, pieces, shard.rows, settings)
  except neighbours.NotUnit as error:
    raise errors.InputError(f"{shard.file}: {error}") from error


def _part(root: epath.Path, number: int) -> epath.Path:
  return root / "parts" / f"{number:05d}.npz"


def _write(file: epath.Path, nearest: Nearest) -> None:
  buffer = io.BytesIO()
  np.savez(buffer, **nearest._asdict())
  atomic.write(file, buffer.getvalue())


def _read(file: epath.Path) -> Nearest:
  try:
    with np.load(io.BytesIO(file.read_bytes())) as content:
      return Nearest(content["similarity"], content["row"])
  except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    raise errors.InputError(f"{file} is broken: delete it, and repeat the command") from error


def _publish(
  file: epath.Path, queries: Embeddings, listed: list[shards.Shard], merged: Merged
) -> None:
  """Writes the matches, each with what the reference's metadata call it."""
  count, kept = merged.row.shape
  shard, row = merged.shard.reshape(-1), merged.row.reshape(-1)
  names = np.full(len(row), None, object)
  for number in np.unique(shard):
    where = np.flatnonzero(shard == number)
    names[where] = shards.names(listed[number], row[where].tolist())
  columns = {
    "data": np.repeat(queries.data, kept),
    "example": np.repeat(queries.examples, kept),
    "rank": np.tile(np.arange(kept, dtype=np.int32), count),
    "similarity": merged.similarity.reshape(-1),
    "shard": [listed[number].file.name for number in shard],
    "row": row,
    "reference": names.tolist(),
  }
  parquet.write(file, pa.table(columns, schema=MATCHES))
