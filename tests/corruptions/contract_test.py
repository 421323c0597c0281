"""What every corruption promises; a new one is covered by being in the table."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import corruptions, errors
from jaxbench.corruptions.textures import procedural_textures

USUAL = (*corruptions.NAMES, "plasma_noise", "caustic_refraction")
pytestmark = [
  pytest.mark.usual(*(f"*{name}" for name in USUAL)),
  pytest.mark.parametrize("name", corruptions.CORRUPTIONS),
]
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.float32) / 255
KEYS = jax.random.split(jax.random.key(0), 6)
# Their first severities take colour away, or warp on a larger scale.
UNORDERED = ("elastic_transform", "saturate")


def _corrupt(key, image, name: str, severity, variant: str = "imagenet"):
  needed = corruptions.CORRUPTIONS[name].photographs
  made = procedural_textures(variant, *image.shape[:2]) if needed else None
  return corruptions.corrupt(key, image, name, severity, variant=variant, textures=made)


@functools.cache
def _batched(name: str):
  return jax.jit(jax.vmap(lambda key, image, s: _corrupt(key, image, name, s), (0, 0, None)))


@functools.cache
def _alone(name: str):
  """A program for one image: the result, and the gradient of its product with another image."""

  def run(key, image, severity):
    result, pull = jax.vjp(lambda image: _corrupt(key, image, name, severity), image)
    return result, *pull(jnp.asarray(IMAGES[1]))

  return jax.jit(run)


def _serves_all_severities(program, keys, images) -> None:
  for severity in range(1, 6):
    result = np.asarray(program(keys, images, jnp.int32(severity)))
    assert result.dtype == np.float32
    assert result.shape == images.shape
    assert result.min() >= 0
    assert result.max() <= 1
    np.testing.assert_allclose(result * 255, np.rint(result * 255), atol=1e-4)
  assert program._cache_size() == 1


def test_result_is_8_bit_in_range_and_one_program_serves_all_severities(name):
  _serves_all_severities(_batched(name), KEYS, IMAGES)


def test_any_size_from_32_pixels_works(name):
  image = np.linspace(0, 1, 47 * 32 * 3, dtype=np.float32).reshape(47, 32, 3)
  program = jax.jit(lambda key, image, s: _corrupt(key, image, name, s, "cifar"))
  _serves_all_severities(program, KEYS[0], image)


@pytest.mark.slow
@pytest.mark.parametrize("variant", corruptions.VARIANTS)
def test_every_variant_has_five_levels_that_fit_the_operation(name, variant):
  """That they are the right ones is for the tests of parity."""
  levels = corruptions.CORRUPTIONS[name].levels(variant, 47, 32)
  for leaf in jax.tree.leaves(levels):
    assert len(leaf) == 5
    assert np.isfinite(leaf).all()
  image = jax.ShapeDtypeStruct((47, 32, 3), np.float32)
  result = jax.eval_shape(
    lambda key, image, s: _corrupt(key, image, name, s, variant), KEYS[0], image, jnp.int32(5)
  )
  assert (result.shape, result.dtype) == (image.shape, image.dtype)


def test_an_example_alone_equals_itself_in_a_batch(name):
  batch = _batched(name)(KEYS, IMAGES, jnp.int32(3))
  alone, _ = _alone(name)(KEYS[4], IMAGES[4], jnp.int32(3))
  np.testing.assert_array_equal(batch[4], alone)


def test_severity_five_changes_an_image_more_than_severity_one(name):
  change = [np.abs(_batched(name)(KEYS, IMAGES, jnp.int32(s)) - IMAGES).mean() for s in (1, 5)]
  assert min(change) > 0
  assert name in UNORDERED or change[0] < change[1]


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_constant_image_gives_numbers_and_so_do_its_gradients(name, level):
  image = np.full((32, 32, 3), level, np.float32)  # Not weakly typed: the same program.
  for severity in (2, 5):
    for found in _alone(name)(KEYS[0], image, jnp.int32(severity)):
      assert jnp.isfinite(found).all()


def test_gradients_flow_through_all_but_what_counts(name):
  _, gradient = _alone(name)(KEYS[0], IMAGES[0], jnp.int32(2))
  assert jnp.isfinite(gradient).all()
  assert (name == "shot_noise") == (jnp.abs(gradient).max() == 0)


def test_bad_input_is_one_clear_line(name):
  image = jnp.zeros((32, 32, 3))
  for arguments, message in (
    ((KEYS[0], image, name[:-1], 1), f"Did you mean '{name}'"),
    ((KEYS[0], image, name, 6), "severity must be 1 to 5, not 6"),
    ((KEYS[0], image, name, np.int64(9)), "severity must be 1 to 5, not 9"),
    ((KEYS[0], image, name, jnp.int32(0)), "severity must be 1 to 5, not 0"),
    ((KEYS[0], jnp.zeros((2, 32, 32, 3)), name, 1), "vmap over a batch"),
    ((KEYS[0], image.astype(jnp.uint8), name, 1), "must be float32"),
  ):
    with pytest.raises(errors.InputError, match=message):
      corruptions.corrupt(*arguments)
  with pytest.raises(errors.InputError, match="unknown variant 'large'"):
    corruptions.corrupt(KEYS[0], image, name, 1, variant="large")


def test_what_it_needs_is_declared(name):
  corruption = corruptions.CORRUPTIONS[name]
  assert corruption.photographs == (name == "frost")
  assert (corruption.textures is not None) == name.endswith("frost")
  assert corruption.im_rounded == (name in ("motion_blur", "snow"))
  assert corruption.rounding("nearest") is corruption
  assert (corruption.rounding("floor") is not corruption) == corruption.im_rounded
