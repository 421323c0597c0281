"""The random bits that JAX draws, sooner on a CPU.

There JAX goes through the rounds of its generator (Threefry-2x32: Salmon et al., 2011, "Parallel
random numbers: as easy as 1, 2, 3") in loops: 18 ns for a word on one core with AVX2, and a draw
takes up to two seconds to compile. Written out they take 3 ns and a fifth of a second.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend import random

_NAME = "threefry2x32"
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)  # Of the key's two words and the third that is made of them.


def quick(key: jax.Array) -> jax.Array:
  """The same keys, with the same draws; on a CPU they take a part of the time.

  Args:
    key: any that `jax.random.key` makes; those of other generators stay as they are.
  """
  return wrap(jax.random.key_data(key)) if key.dtype == _threefry() else key


def key(seed: int) -> jax.Array:
  """That of `jax.random.key`; see `quick`."""
  return quick(jax.random.key(seed))


def wrap(words: jax.Array | np.ndarray) -> jax.Array:
  """Keys [...] of what `jax.random.key_data` tells of them, uint32 [..., 2]; see `quick`."""
  cpu = jax.default_backend() == "cpu"
  return jax.random.wrap_key_data(jnp.asarray(words), impl=_WRITTEN_OUT if cpu else _NAME)


@functools.cache
def _threefry() -> Any:
  """The dtype of JAX's own keys."""
  return jax.eval_shape(lambda: jax.random.key(0, impl=_NAME)).dtype


def _block(key: jax.Array, high: jax.Array, low: jax.Array) -> tuple[jax.Array, jax.Array]:
  """What a key [2] makes of counters: two words for each two."""
  keys = key[0], key[1], key[0] ^ key[1] ^ _PARITY
  high, low = high + keys[0], low + keys[1]
  for number in range(1, 6):
    for bits in _ROTATIONS[(number - 1) % 2]:
      high = high + low
      low = high ^ ((low << np.uint32(bits)) | (low >> np.uint32(32 - bits)))
    high, low = high + keys[number % 3], low + keys[(number + 1) % 3] + np.uint32(number)
  return high, low


def _counted(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """Two words for each place of `shape`, whose number counts."""
  place = lax.iota(np.uint32, math.prod(shape)).reshape(shape)
  return _block(key, jnp.zeros_like(place), place)


def _in_halves(key: jax.Array, count: int) -> jax.Array:
  """`count` words, two for a block, as JAX has them where it is not `_partitionable`."""
  half = -(-count // 2)
  high = lax.iota(np.uint32, half)
  low = jnp.where(high + half < count, high + np.uint32(half), np.uint32(0))
  return jnp.concatenate(_block(key, high, low))[:count]


def _partitionable() -> bool:
  """Whether each word has a counter of its own, as is JAX's default."""
  return bool(jax.config.jax_threefry_partitionable)  # type: ignore[attr-defined]


def _alone(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
  """It stays a call: inlined, XLA computes each word anew for each number that is made of it."""

  def call(*arguments: Any) -> jax.Array:
    with set_xla_metadata(inlineable="false"):
      return function(*arguments)

  return call


@_alone
@functools.partial(jax.jit, static_argnums=(1, 2))
def _bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
  if not _partitionable():
    return _in_halves(key, math.prod(shape)).reshape(shape)
  high, low = _counted(key, shape)
  if bit_width == 64:
    return (high.astype(jnp.uint64) << np.uint64(32)) | low.astype(jnp.uint64)
  return (high ^ low).astype(f"uint{bit_width}")


def _random_bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
  if bit_width != 32 and not _partitionable():
    return random.threefry_prng_impl.random_bits(key, bit_width, shape)
  return _bits(key, bit_width, shape)


@_alone
@functools.partial(jax.jit, static_argnums=1)
def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  if not _partitionable():
    return _in_halves(key, 2 * math.prod(shape)).reshape(*shape, 2)
  return jnp.stack(_counted(key, shape), axis=-1)


@_alone
@jax.jit
def _fold_in(key: jax.Array, data: Any) -> jax.Array:
  return jnp.stack(_block(key, jnp.zeros_like(data), data))


_WRITTEN_OUT = random.define_prng_impl(
  key_shape=(2,),
  seed=random.threefry_prng_impl.seed,
  split=_split,
  random_bits=_random_bits,
  fold_in=_fold_in,
  name=f"{_NAME} written out",
  tag="fry written out",
)
