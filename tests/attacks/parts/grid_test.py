"""Images of 8 bits: on the grid, never farther from the clean image, and as near as can be."""

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import pytest

from jaxbench.attacks.parts import grid, norms

ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}
SHAPE = (5, 7, 3)
PROGRAMS = {name: jax.jit(norm.quantize) for name, norm in norms.NORMS.items()}


def _size(norm, clean, image):
  delta = np.asarray(image, np.float64) - np.asarray(clean, np.float64)
  return np.linalg.norm(delta.ravel(), ORDERS[norm])


def _pair(seed, norm, radius, whole=True):
  draw = np.random.default_rng(seed)
  clean = draw.integers(0, 256, SHAPE).astype(np.float32) / np.float32(255)
  clean[draw.random(SHAPE) < 0.2] = 0
  clean = clean if whole else draw.random(SHAPE).astype(np.float32)
  far = np.clip(clean + draw.normal(size=SHAPE).astype(np.float32), 0, 1)
  return clean, np.asarray(norms.NORMS[norm].project(clean, far, np.float32(radius)))


@pytest.mark.parametrize("norm", ORDERS)
@hypothesis.given(seed=st.integers(0, 10_000), share=st.floats(0.0, 1.0))
def test_on_the_grid_and_no_farther(norm, seed, share):
  radius = share * {"linf": 0.1, "l2": 1.0, "l1": 10.0}[norm]
  clean, image = _pair(seed, norm, radius)
  quantized = np.asarray(PROGRAMS[norm](clean, image))
  np.testing.assert_allclose(255 * quantized, np.round(255 * quantized), atol=1e-4)
  assert quantized.min() >= 0
  assert quantized.max() <= 1
  assert _size(norm, clean, quantized) <= _size(norm, clean, image) * (1 + 1e-6) + 1e-6
  np.testing.assert_array_equal(quantized[image == clean], clean[image == clean])


@pytest.mark.parametrize("levels", [0.4, 1.0, 1.7, 7.9, 8.0])
def test_in_linf_it_is_the_best_that_a_search_over_the_levels_finds(levels):
  clean, image = _pair(0, "linf", levels / 255)
  quantized = np.asarray(PROGRAMS["linf"](clean, image))
  reach = np.abs(255 * image.astype(np.float64) - 255 * clean).max() + 1e-4
  candidates = np.arange(256.0)[:, None, None, None]
  near = np.abs(candidates - 255 * clean.astype(np.float64)) <= reach
  distance = np.where(near, np.abs(candidates - 255 * image.astype(np.float64)), np.inf)
  np.testing.assert_allclose(
    np.abs(255 * quantized - 255 * image.astype(np.float64)), distance.min(axis=0), atol=1e-3
  )


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("radius", [0.02, 0.1, 1.0])
def test_in_a_sum_as_many_pixels_move_as_fit(norm, radius):
  """Rounding each by itself would leave nothing of a change that is spread thinly."""
  clean, image = _pair(1, norm, radius)
  quantized = np.asarray(PROGRAMS[norm](clean, image))
  size, left = _size(norm, clean, image), _size(norm, clean, quantized)
  assert left <= size * (1 + 1e-6)
  # One level more would be too much: its cost is that of the farthest pixel, at most.
  levels = np.abs(np.round(255 * (quantized - clean))).max()
  cheapest = (2 * levels + 1) / 255**2 if norm == "l2" else 1 / 255
  order = ORDERS[norm]
  assert left**order + cheapest > size**order * (1 - 1e-4)
  delta, moved = (x.astype(np.float64).ravel() - clean.ravel() for x in (image, quantized))
  assert (np.sign(delta) * moved >= -1e-6).all()


def test_what_is_on_the_grid_stays():
  clean = np.random.default_rng(2).integers(0, 256, SHAPE).astype(np.float32) / np.float32(255)
  other = np.random.default_rng(3).integers(0, 256, SHAPE).astype(np.float32) / np.float32(255)
  np.testing.assert_allclose(PROGRAMS["linf"](clean, other), other, atol=1e-6)
  for program in PROGRAMS.values():
    np.testing.assert_array_equal(program(clean, clean), clean)


def test_of_a_clean_image_off_the_grid_only_what_is_inside_counts():
  """In linf there may be a level in reach of every pixel; else the engine returns the clean one."""
  clean, image = _pair(4, "linf", 2 / 255, whole=False)
  quantized = np.asarray(PROGRAMS["linf"](clean, image))
  assert _size("linf", clean, quantized) <= 2 / 255 + 1e-6
  assert grid.SPACING == 1 / 255
