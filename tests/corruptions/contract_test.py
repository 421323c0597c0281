"""What every corruption promises; a new one is covered by being in the table."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import corruptions, errors
from jaxbench.corruptions.textures import procedural_textures

pytestmark = pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.float32) / 255
KEYS = jax.random.split(jax.random.key(0), 6)
# What counts, or computes in whole numbers, has no derivative but zero.
DISCRETE = ("shot_noise", "contrast", "jpeg_compression")

# Their first severities take colour away, or warp on a larger scale.
UNORDERED = ("elastic_transform", "saturate")


def _corrupt(key, image, name: str, severity, variant: str = "imagenet"):
  made = procedural_textures(variant, *image.shape[:2]) if name == "frost" else None
  return corruptions.corrupt(key, image, name, severity, variant=variant, textures=made)


@functools.cache
def _batched(name: str, variant: str = "imagenet"):
  one = functools.partial(_corrupt, name=name, variant=variant)
  return jax.jit(jax.vmap(lambda key, image, s: one(key, image, severity=s), (0, 0, None)))


@functools.cache
def _alone(name: str):
  return jax.jit(lambda key, image, s: _corrupt(key, image, name, s))


@pytest.mark.parametrize("variant", corruptions.VARIANTS)
def test_result_is_8_bit_in_range_and_one_program_serves_all_severities(name, variant):
  program = _batched(name, variant)
  for severity in range(1, 6):
    result = np.asarray(program(KEYS, IMAGES, jnp.int32(severity)))
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1
    np.testing.assert_allclose(result * 255, np.rint(result * 255), atol=1e-4)
  assert program._cache_size() == 1


def test_an_example_alone_equals_itself_in_a_batch(name):
  batch = _batched(name)(KEYS, IMAGES, jnp.int32(3))
  np.testing.assert_array_equal(batch[4], _alone(name)(KEYS[4], IMAGES[4], jnp.int32(3)))


def test_severity_five_changes_an_image_more_than_severity_one(name):
  change = [np.abs(_batched(name)(KEYS, IMAGES, jnp.int32(s)) - IMAGES).mean() for s in (1, 5)]
  assert min(change) > 0
  assert name in UNORDERED or change[0] < change[1]


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_constant_image_gives_numbers(name, level):
  image = jnp.full((32, 32, 3), level)
  assert jnp.isfinite(_alone(name)(KEYS[0], image, jnp.int32(5))).all()


def test_gradients_are_numbers_and_flow_where_the_operation_is_smooth(name):
  weights = jnp.asarray(IMAGES[1])

  def loss(image, key):
    return (weights * _corrupt(key, image, name, 2)).sum()

  gradient = jax.jit(jax.grad(loss))
  for image in jnp.zeros((32, 32, 3)), jnp.ones((32, 32, 3)):
    assert jnp.isfinite(gradient(image, KEYS[0])).all()
  found = gradient(jnp.asarray(IMAGES[0]), KEYS[0])
  assert jnp.isfinite(found).all()
  assert (name in DISCRETE) == (jnp.abs(found).max() == 0)


def test_any_size_from_32_pixels_works(name):
  image = jnp.linspace(0, 1, 47 * 32 * 3).reshape(47, 32, 3)
  result = _alone(name)(KEYS[0], image, jnp.int32(5))
  assert result.shape == image.shape
  assert jnp.isfinite(result).all()


def test_bad_input_is_one_clear_line(name):
  image = jnp.zeros((32, 32, 3))
  for arguments, message in (
    ((KEYS[0], image, name[:-1], 1), f"Did you mean '{name}'"),
    ((KEYS[0], image, name, 6), "severity must be 1 to 5"),
    ((KEYS[0], jnp.zeros((2, 32, 32, 3)), name, 1), "vmap over a batch"),
    ((KEYS[0], image.astype(jnp.uint8), name, 1), "must be float32"),
  ):
    with pytest.raises(errors.InputError, match=message):
      corruptions.corrupt(*arguments)
  with pytest.raises(errors.InputError, match="unknown variant 'large'"):
    corruptions.corrupt(KEYS[0], image, name, 1, variant="large")
