"""Blurs against scikit-image, OpenCV and scipy in float64, on photographs, with the same draws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import create_c
from references.photographs import photographs
from scipy import stats

from jaxbench import corruptions
from jaxbench.corruptions import gaussian

SIZES = {"imagenet": 224, "tiny": 64, "cifar": 32, "inception": 75}
# Largest share of differing bytes by severity at 224 pixels, then in the small pictures of the
# other variants, where one byte in 37,000 already counts and slight blurs are full of exact ties.
LIMITS = {
  "gaussian_blur": ((2.5e-5, 2e-5, 2e-5, 2e-5, 1e-5), {"tiny": 3e-4, "cifar": 3e-3}),
  "defocus_blur": ((5e-6, 2e-5, 2e-5, 2e-5, 1e-5), {"tiny": 6e-5, "cifar": 2e-2}),
  "zoom_blur": ((2.5e-5, 2e-5, 1.5e-5, 1e-5, 1.5e-5), {"cifar": 5e-4}),
  "glass_blur": ((5e-4,) * 5, {"tiny": 1.5e-3, "cifar": 2e-2, "inception": 5e-4}),
}


@functools.cache
def _program(name: str, variant: str, size: int):
  corruption = corruptions.CORRUPTIONS[name]
  levels = jax.tree.map(jnp.asarray, corruption.levels(variant, size, size))

  def run(pixels, draws, severity):
    level = jax.tree.map(lambda leaf: leaf[severity], levels)
    return jnp.floor(jnp.clip(corruption.apply(pixels, draws, level), 0, 255)).astype(jnp.uint8)

  return jax.jit(run)


def _check(name: str, variant: str, severity: int, draws, expected) -> None:
  size = expected.shape[1]
  pictures, program = photographs(size), _program(name, variant, size)
  found = np.stack([program(jnp.float32(picture), draws, severity) for picture in pictures])
  at_224, small = LIMITS[name]
  limit = at_224[severity] if size >= 224 else small.get(variant, 1e-4)
  assert (found != expected).mean() <= limit
  rounded = 2 if name == "glass_blur" else 1  # It blurs twice, and either may cut an exact tie.
  assert np.abs(found.astype(int) - expected).max() <= rounded


@pytest.mark.usual("*-imagenet", "*-cifar")
@pytest.mark.parametrize("variant", SIZES)
@pytest.mark.parametrize("name", ["gaussian_blur", "defocus_blur", "zoom_blur"])
def test_a_blur_equals_the_reference(name, variant):
  operation, pictures = getattr(create_c, name), photographs(SIZES[variant])
  for severity, constants in enumerate(create_c.constants(variant, name)):
    expected = np.stack([operation(picture, *np.atleast_1d(constants)) for picture in pictures])
    _check(name, variant, severity, (), expected)


def test_zoom_blur_equals_the_reference_at_the_size_of_inception():
  constants = create_c.constants("inception", "zoom_blur")[4]
  expected = np.stack([create_c.zoom_blur(picture, *constants) for picture in photographs(299)])
  _check("zoom_blur", "inception", 4, (), expected)


def test_gaussian_smoothing_leaves_flat_areas_exactly_as_they_are():
  kernel = jnp.asarray(gaussian.kernels((0.05, 1, 6)))
  flat = jnp.broadcast_to(jnp.arange(256.0), (32, 32, 256))
  smooth = jax.jit(gaussian.smooth)
  for row in kernel:
    np.testing.assert_array_equal(smooth(flat, row), flat)


def _in_place(offsets: np.ndarray, reach: int, passes: int, size: int) -> tuple[jax.Array, ...]:
  """The reference's offsets, in the order of its loop, as ours: by the pixel that looks there."""
  placed = np.zeros((passes, size, size, 2), np.int32)
  inside = slice(reach + 1, size - reach + 1)
  placed[: len(offsets), inside, inside] = offsets[:, ::-1, ::-1]
  return jnp.asarray(placed[..., 0]), jnp.asarray(placed[..., 1])


@pytest.mark.usual("tiny", "cifar")
@pytest.mark.parametrize("variant", SIZES)
def test_glass_blur_equals_the_reference(variant):
  """The copies follow the sequential loop exactly; only the blurs' last bits differ."""
  constants, size = create_c.constants(variant, "glass_blur"), SIZES[variant]
  most = max(passes for _, _, passes in constants)
  for severity in (2, 4) if size == 224 else range(5):  # Most passes, longest reach.
    _, reach, passes = constants[severity]
    offsets = create_c.glass_offsets((size, size), reach, passes)
    expected = np.stack(
      [create_c.glass_blur(x, *constants[severity], offsets) for x in photographs(size)]
    )
    draws = _in_place(offsets, reach, most, size)
    _check("glass_blur", variant, severity, draws, expected)


def test_glass_moves_are_uniform():
  corruption = corruptions.CORRUPTIONS["glass_blur"]
  level = jax.tree.map(lambda leaf: leaf[3], corruption.levels("imagenet", 64, 64))
  moves = np.stack(corruption.draw(jax.random.key(0), (64, 64, 3), level), axis=-1)
  cells, counts = np.unique(moves.reshape(-1, 2), axis=0, return_counts=True)
  assert cells.min() == -3
  assert cells.max() == 2
  assert len(cells) == 36
  assert stats.chisquare(counts).pvalue > 0.01
