"""Exact ranks without a sort: what is more similar than the best of one's own is counted."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from numpy.typing import ArrayLike

from jaxbench import devices, errors

NOTHING = -1  # In place of what is found, where a similarity is no number.
TOLERANCE = 1e-6  # Cosines that differ by no more are equal: so much comes of rounding.
ROWS = 256  # Queries on a device at a time, against the whole gallery.


@struct.dataclass
class Ranks:
  """Of Q queries; arrays [Q].

  `rank` is what every order of equal items allows, and `rank + tied` what the worst does.
  """

  prediction: jax.Array  # int32: whose the most similar item is, the first of equal ones; NOTHING.
  rank: jax.Array  # int32: how many items of others are more similar than the best of one's own.
  tied: jax.Array  # int32: how many of others are as similar.
  margin: jax.Array  # float32: by how much the best of others leads it; inf without numbers.


@struct.dataclass
class Gallery:
  """What is searched."""

  items: jax.Array  # [G, D] float32, unit rows.
  owners: jax.Array  # [G] int32.
  members: jax.Array  # [N, M] int32, see `members`.
  tolerance: jax.Array  # [] float32.

  @classmethod
  def of(cls, items: ArrayLike, owners: ArrayLike) -> "Gallery":
    """Of unit rows [G, D] and whose they are [G], on the host."""
    whose = np.asarray(owners, np.int32)
    content: Any = np.asarray(items, np.float32), whose, members(whose), np.float32(TOLERANCE)
    return cls(*content)


def members(owners: np.ndarray) -> np.ndarray:
  """int32 [N, M]: of each owner the places among int32 [G] that are its own, filled with -1."""
  order = np.argsort(owners, kind="stable")
  counts = np.bincount(owners)
  inside = np.arange(counts.max()) < counts[:, None]
  found = np.full(inside.shape, -1, np.int32)
  found[inside] = order
  return found


def judged(
  similarities: jax.Array, own: jax.Array, owners: jax.Array, tolerance: jax.Array
) -> Ranks:
  """Ranks of queries whose similarities to all items are known.

  The best of one's own is taken from the same similarities, and one's own are left out by their
  places: else rounding would put an item before itself.

  Args:
    similarities: [Q, G] float32.
    own: [Q, M] int32, the places of each query's own items, filled with -1.
    owners: [G] int32, whose each item is.
    tolerance: [] float32, of equal similarities.
  """
  mine = jnp.take_along_axis(similarities, jnp.maximum(own, 0), axis=1)
  mine = jnp.where(own >= 0, mine, -jnp.inf)
  best = mine.max(axis=1, keepdims=True)
  ahead = _count(similarities > best + tolerance)  # None of one's own is.
  own_near = _count(mine >= best - tolerance)
  equal = _count(similarities >= best - tolerance) - ahead - own_near
  foreign = jnp.where(owners[None] == owners[own[:, :1]], -jnp.inf, similarities)
  finite = jnp.isfinite(similarities.sum(axis=1))
  found = owners[similarities.argmax(axis=1)]
  return Ranks(
    prediction=jnp.where(finite, found, NOTHING),
    rank=jnp.where(finite, ahead, similarities.shape[1]),
    tied=jnp.where(finite, equal, 0),
    margin=jnp.where(finite, foreign.max(axis=1) - best[:, 0], jnp.inf),
  )


def _count(these: jax.Array) -> jax.Array:
  """int32 [Q] of bool [Q, G]: by floats, whose sums are quick on CPUs, and exact up to 2^24."""
  return these.astype(jnp.float32).sum(axis=1).astype(jnp.int32)


@functools.cache
def find() -> Callable[..., Ranks]:
  """A sharded program (`Gallery`, queries [Q, D] float32, owners [Q] int32) -> `Ranks`."""

  def program(gallery: Gallery, queries: jax.Array, owners: jax.Array) -> Ranks:
    similarities = queries @ gallery.items.T
    return judged(similarities, gallery.members[owners], gallery.owners, gallery.tolerance)

  return devices.shard(program, network=False)


def ranks(queries: ArrayLike, owners: ArrayLike, items: ArrayLike, of_items: ArrayLike) -> Ranks:
  """Ranks of all queries, in blocks of `ROWS` on each device; arrays of numpy.

  Images that look for captions are queries, owned by their own places, and the items are captions,
  owned by their images; the other way round for captions that look for images.

  Args:
    queries: [Q, D] float32, unit rows.
    owners: [Q] int32, whose each query is.
    items: [G, D] float32, unit rows.
    of_items: [G] int32, whose each item is; every owner of a query has one.

  Raises:
    InputError: one has none.

  Example:
    >>> found = retrieval.ranks(images, np.arange(len(images)), captions, pairs.owners)
    >>> recall_at_5 = (found.rank < 5).mean()
  """
  if lost := sorted(set(np.unique(owners)) - set(np.unique(of_items))):
    raise errors.InputError(f"{len(lost)} owners of queries have no item, {lost[0]} first")
  gallery = Gallery.of(items, of_items)
  arrays = np.asarray(queries, np.float32), np.asarray(owners, np.int32)
  batches = devices.stream(find(), devices.replicate(gallery), arrays, ROWS)
  parts: Any = [batch.fetch() for batch in batches]
  return jax.tree.map(lambda *some: np.concatenate(some), *parts)
