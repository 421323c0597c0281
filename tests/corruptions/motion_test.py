"""Motion blur against ImageMagick's arithmetic in float64, on photographs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import create_c
from references.photographs import photographs
from scipy import stats

from jaxbench import corruptions
from jaxbench.corruptions import motion


@functools.cache
def _program(im_round: str):
  emitters = {"xla_cpu_use_fusion_emitters": True}  # As users compile it: these parities are tight.
  return jax.jit(motion.motion_blur.rounding(im_round).apply, compiler_options=emitters)


@pytest.mark.usual("imagenet-224-nearest", "cifar-*")
@pytest.mark.parametrize("im_round", motion.IM_ROUNDS)
@pytest.mark.parametrize(
  ("variant", "size"), [("imagenet", 224), ("tiny", 64), ("cifar", 32), ("inception", 64)]
)
def test_motion_blur_equals_imagemagick(variant, size, im_round):
  levels = motion.motion_blur.levels(variant, size, size)
  angles = np.float32([-44, -13.3, 27.1])
  for severity, (radius, sigma) in enumerate(create_c.constants(variant, "motion_blur")):
    level = jax.tree.map(lambda leaf, s=severity: leaf[s], levels)
    pairs = [
      (
        np.asarray(_program(im_round)(jnp.float32(pixels), degrees, level)),
        create_c.motion_blur(pixels, radius, sigma, float(degrees), im_round),
      )
      for pixels, degrees in zip(photographs(size), angles, strict=True)
    ]
    found, expected = np.stack(pairs, axis=1)
    # 2e-5 at 224 pixels; one byte in three small pictures is more.
    assert (found != expected).mean() <= (2e-5 if size == 224 else 2.5e-4)
    assert np.abs(found - expected).max() <= 1


def test_the_package_imagecorruptions_cuts_down_without_16_bits():
  level = jax.tree.map(lambda leaf: leaf[4], motion.motion_blur.levels("imagecorruptions", 64, 64))
  pixels = photographs(64)[0]
  found = _program("nearest")(jnp.float32(pixels), jnp.float32(20), level)
  np.testing.assert_allclose(found, create_c.smeared(pixels, 20, 15, 20.0), atol=1e-3)


def test_rounding_is_part_of_what_is_asked_for():
  image = jnp.asarray(photographs(32)[0], jnp.float32) / 255
  near, down = (
    corruptions.corrupt(jax.random.key(0), image, "motion_blur", 2, im_round=im_round)
    for im_round in motion.IM_ROUNDS
  )
  assert 0.3 < ((near - down) * 255).mean() < 0.7  # Half a level on average.


def test_angles_are_uniform():
  draw = jax.vmap(lambda key: motion.motion_blur.draw(key, (32, 32, 3), None))
  angles = draw(jax.random.split(jax.random.key(0), 1000))
  assert stats.kstest(np.asarray(angles), "uniform", args=(-45, 90)).pvalue > 0.01
