"""What is drawn by a key that is quick equals what JAX draws, to the bit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import threefry

DRAWS = {
  "bits": lambda key: jax.random.bits(key, (7, 3)),
  "no bits": lambda key: jax.random.bits(key, (0, 3)),
  "a scalar": jax.random.bits,
  "bytes": lambda key: jax.random.bits(key, (5,), jnp.uint8),
  "halves": lambda key: jax.random.bits(key, (5,), jnp.uint16),
  "uniform": lambda key: jax.random.uniform(key, (4, 4, 3)),
  "normal": lambda key: jax.random.normal(key, (4, 4, 3)),
  "integers": lambda key: jax.random.randint(key, (3,), 0, 9),
  "permutation": lambda key: jax.random.permutation(key, 10),
  "split": lambda key: jax.random.key_data(jax.random.split(key, 5)),
  "split in two axes": lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
  "fold in": lambda key: jax.random.key_data(jax.random.fold_in(key, 4_000_000_000)),
  "drawn later": lambda key: jax.random.bits(jax.random.fold_in(jax.random.split(key)[1], 3), (2,)),
}


@pytest.mark.parametrize("partitionable", [True, False])
@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_those_of_jax(name, partitionable):
  draw = jax.jit(jax.vmap(DRAWS[name]))
  with jax.threefry_partitionable(partitionable):
    keys = jax.random.split(jax.random.key(7), 3)
    np.testing.assert_array_equal(draw(threefry.quick(keys)), draw(keys))


def test_draws_of_64_bits_are_those_of_jax():
  enable_x64 = (jax if hasattr(jax, "enable_x64") else jax.experimental).enable_x64
  key, draw = jax.random.key(7), functools.partial(jax.random.bits, dtype=jnp.uint64)
  with enable_x64(True), jax.numpy_dtype_promotion("standard"):
    np.testing.assert_array_equal(draw(threefry.quick(key), (5,)), draw(key, (5,)))


def test_keys_of_other_generators_stay():
  key = jax.random.key(0, impl="rbg")
  assert threefry.quick(key) is key
  quick = threefry.quick(jax.random.key(0))
  assert threefry.quick(quick) is quick
