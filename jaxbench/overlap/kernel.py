"""What a device does with some vectors: block maxima, the winning blocks, exact cosines.

A vector among the k nearest can only live in one of the k blocks with the largest maxima. So a scan
takes block maxima of matrix products and nothing else; then the winning blocks are looked at again,
and the cosines of the k that win there are computed anew in float32, summed in an order that is
written here. They do not depend on where a vector stands, so copies tie exactly, and ties go to the
smaller row.

What the matrix products round, about 1e-7 in float32, decides only between vectors that are as near
as that to the k-th.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import devices

MOST = 128  # Neighbours; also the fewest vectors of one call, per device.
DTYPES = ("float32", "float16", "bfloat16")
TOLERANCE = 1e-2  # Of a norm; rounding to float16 moves one by 5e-4 at most.
NO_ROW = np.iinfo(np.int32).max


class Nearest(NamedTuple):
  """The k nearest vectors of each query."""

  similarity: Any  # [Q, K] float32, cosines, descending; -inf where there are fewer vectors.
  row: Any  # [Q, K] int32; of equal cosines the smaller comes first.


class Settings(NamedTuple):
  """How neighbours are looked for."""

  neighbours: int = 1
  dtype: str = "float32"  # Of the matrix products; one of DTYPES.
  recall: float = 1.0  # Expected share of the neighbours found; below 1 by `lax.approx_max_k`.


EXACT = Settings()


class Tiles(NamedTuple):
  """How the work is cut; powers of two, and no result depends on them."""

  rows: int  # Of a matrix product,
  queries: int  # by so many.
  block: int  # Vectors of which the maximum is taken.
  piece: int  # Vectors of one call, per device.
  together: int  # Queries whose winning blocks are looked at together.


# On a CPU a product stays in the cache of a core; from 256 to 2048 the sizes made 3 % at most. The
# smaller the blocks, the less is looked at again, which is slow: 128 took 1.6 times as long.
_CPU = Tiles(rows=1024, queries=1024, block=16, piece=65_536, together=8)
# What an accelerator needs to be busy, within a few hundred MB; chosen on paper.
_ACCELERATOR = Tiles(rows=8192, queries=4096, block=128, piece=524_288, together=128)


def cut() -> Tiles:
  """For the devices of this host."""
  return _CPU if jax.default_backend() == "cpu" else _ACCELERATOR


@functools.cache
def program(settings: Settings) -> Callable[..., Any]:
  """Looks at some vectors more, on each device at its share.

  Args of what it returns, per device: queries float32 [T, QT, D]; the first row int32 [1] and the
  number int32 [1] of the vectors; the vectors float [P, D]; the best so far, two arrays
  [T * QT, K]. Returns the best now, and the first vector that is no unit vector: its row, or -1,
  int32 [1], and its length float32 [1].
  """
  find = _in_best_blocks if settings.recall == 1 else _approximately

  def update(
    queries: jax.Array,
    first: jax.Array,
    count: jax.Array,
    vectors: jax.Array,
    similarity: jax.Array,
    row: jax.Array,
  ) -> Any:
    values = vectors.astype(jnp.float32)
    norms = jnp.sqrt((values * values).sum(axis=1))
    inside = jnp.arange(len(vectors)) < count
    inverse = jnp.where(inside, 1 / norms, 0)
    bad = inside & ~(jnp.abs(norms - 1) <= TOLERANCE)
    where = jnp.argmax(bad)
    seen = jnp.where(bad.any(), first[0] + where, -1).astype(jnp.int32), norms[where]

    def tile(some: jax.Array) -> Nearest:
      chosen = find(some, vectors, inverse, settings)
      cosines = jax.lax.map(
        lambda pair: _cosines(pair[0], pair[1], vectors, inverse),
        (some, chosen),
        batch_size=cut().together,
      )
      return Nearest(cosines, jnp.where(jnp.isfinite(cosines), chosen + first[0], NO_ROW))

    nearest = jax.tree.map(lambda x: x.reshape(-1, x.shape[-1]), jax.lax.map(tile, queries))
    both = (
      -jnp.concatenate([similarity, nearest.similarity], axis=1),
      jnp.concatenate([row, nearest.row], axis=1),
    )
    negative, rows = jax.lax.sort(both, num_keys=2)
    kept = slice(settings.neighbours)
    return Nearest(-negative[:, kept], rows[:, kept]), tuple(x[None] for x in seen)

  return devices.shard(update, network=False)


def _cosines(query: jax.Array, rows: jax.Array, vectors: jax.Array, inverse: jax.Array) -> Any:
  """float32 [K] of a query [D] with some of the vectors; -inf where there is none."""
  chosen = vectors[rows].astype(jnp.float32)
  cosines = _sum(chosen * query[None]) / jnp.sqrt(_sum(chosen * chosen))
  return jnp.where(inverse[rows] > 0, cosines, -jnp.inf)


def _sum(products: jax.Array) -> jax.Array:
  """[K, D] -> [K] by halves, which no compiler orders otherwise, as it may a sum or a product."""
  products = jax.lax.optimization_barrier(products)  # Or they might be fused with additions.
  width = products.shape[1]
  products = jnp.pad(products, ((0, 0), (0, (1 << (width - 1).bit_length()) - width)))
  while products.shape[1] > 1:
    half = products.shape[1] // 2
    products = products[:, :half] + products[:, half:]
  return products[:, 0]


def _scores(queries: jax.Array, vectors: jax.Array, inverse: jax.Array, dtype: str) -> jax.Array:
  """float32 [P, QT]; -inf where there is no vector."""
  products = jnp.matmul(
    vectors.astype(dtype), queries.astype(dtype).T, preferred_element_type=jnp.float32
  )
  return jnp.where(inverse[:, None] > 0, products * inverse[:, None], -jnp.inf)


def _in_best_blocks(
  queries: jax.Array, vectors: jax.Array, inverse: jax.Array, settings: Settings
) -> jax.Array:
  """int32 [QT, K], rows of the nearest vectors, in any order."""
  parts, block = max(1, len(vectors) // cut().rows), cut().block
  split = (vectors.reshape(parts, -1, vectors.shape[1]), inverse.reshape(parts, -1))

  def maxima(_: None, part: tuple[jax.Array, jax.Array]) -> tuple[None, jax.Array]:
    scores = _scores(queries, *part, settings.dtype)
    return None, scores.reshape(-1, block, len(queries)).max(axis=1)

  _, largest = jax.lax.scan(maxima, None, split)
  largest = largest.reshape(-1, len(queries)).T
  _, blocks = jax.lax.top_k(largest, min(settings.neighbours, largest.shape[1]))

  def again(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
    query, best_blocks = pair
    rows = (jnp.sort(best_blocks)[:, None] * block + jnp.arange(block)[None]).reshape(-1)
    scores = _scores(query[None], vectors[rows], inverse[rows], "float32")[:, 0]
    return rows[jax.lax.top_k(scores, settings.neighbours)[1]]  # Of ties the first.

  return jax.lax.map(again, (queries, blocks), batch_size=cut().together)


def _approximately(
  queries: jax.Array, vectors: jax.Array, inverse: jax.Array, settings: Settings
) -> jax.Array:
  """The same by `approx_max_k`, which is approximate on a TPU alone."""
  parts = max(1, len(vectors) // cut().rows)
  rows = jnp.arange(len(vectors), dtype=jnp.int32).reshape(parts, -1)
  split = (vectors.reshape(parts, -1, vectors.shape[1]), inverse.reshape(parts, -1), rows)

  def better(
    best: tuple[jax.Array, jax.Array], part: tuple[jax.Array, jax.Array, jax.Array]
  ) -> Any:
    vectors, inverse, numbers = part
    scores, places = jax.lax.approx_max_k(
      _scores(queries, vectors, inverse, settings.dtype).T,
      settings.neighbours,
      recall_target=settings.recall,
      reduction_input_size_override=len(vectors),
    )
    # New ones first: of ties at -inf, rows beyond the last vector stay, not the rows of the start.
    both = jnp.concatenate([scores, best[0]], axis=1)
    kept, order = jax.lax.top_k(both, settings.neighbours)
    chosen = jnp.concatenate([numbers[places], best[1]], axis=1)
    return (kept, jnp.take_along_axis(chosen, order, axis=1)), None

  shape = (len(queries), settings.neighbours)
  start = jnp.full(shape, -jnp.inf, jnp.float32), jnp.zeros(shape, jnp.int32)
  return jax.lax.scan(better, start, split)[0][1]
