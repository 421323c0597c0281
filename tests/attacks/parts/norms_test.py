"""Each ball against numpy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxbench import attacks, errors
from jaxbench.attacks.parts import norms, roots

ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}
SHAPE = (5, 4, 3)


def _nearest(name, clean, point, radius):
  """The nearest point of ball and box, found by bisection on the multiplier in float64."""
  clean, point = clean.astype(np.float64), point.astype(np.float64)
  delta = point - clean
  if name == "linf":
    return np.clip(np.clip(point, clean - radius, clean + radius), 0, 1)
  if name == "l2":
    return np.clip(clean + delta * min(1, radius / max(np.linalg.norm(delta), 1e-300)), 0, 1)

  def shrunk(amount):
    return np.clip(clean + np.sign(delta) * np.maximum(np.abs(delta) - amount, 0), 0, 1)

  low, high = 0.0, np.abs(delta).max()
  if np.abs(shrunk(0.0) - clean).sum() <= radius:
    return shrunk(0.0)
  for _ in range(200):
    middle = (low + high) / 2
    low, high = (middle, high) if np.abs(shrunk(middle) - clean).sum() > radius else (low, middle)
  return shrunk(high)


@pytest.mark.slow
@pytest.mark.parametrize("name", norms.NORMS)
@given(
  seed=st.integers(0, 999), radius=st.floats(0, 9), scale=st.sampled_from([1e-30, 0.3, 1.0, 9.0])
)
def test_projection_is_the_nearest_point_of_ball_and_box(name, seed, radius, scale):
  """For l2, of the ball, clipped to the box: what every library does."""
  draw = np.random.default_rng(seed)
  clean = draw.random(SHAPE, np.float32)
  point = clean + np.float32(scale) * draw.normal(size=SHAPE).astype(np.float32)
  projected = norms.get(name).project(jnp.asarray(clean), jnp.asarray(point), jnp.float32(radius))
  expected = _nearest(name, clean, point, radius)
  np.testing.assert_allclose(projected, expected, atol=1e-5 if name == "l1" else 3e-7)
  assert norms.get(name).size(projected - clean) <= radius * (1 + 1e-6) + 1e-6
  assert projected.min() >= 0
  assert projected.max() <= 1


@pytest.mark.parametrize("name", norms.NORMS)
def test_projection_holds_at_the_size_of_real_images(name):
  """Sums of 150,528 float32 numbers: what rounding adds stays below the judge's tolerance."""
  draw = np.random.default_rng(0)
  clean = draw.random((224, 224, 3), np.float32)
  radius = {"linf": 4 / 255, "l2": 3.0, "l1": 255.0}[name]
  point = jnp.asarray(clean + draw.normal(size=clean.shape).astype(np.float32))
  projected = jax.jit(norms.get(name).project)(jnp.asarray(clean), point, jnp.float32(radius))
  size = norms.get(name).size(projected - clean)
  exact = np.linalg.norm((np.asarray(projected, np.float64) - clean).ravel(), ORDERS[name])
  assert 0.99 * radius < size <= radius * (1 + 1e-6) + 1e-6
  np.testing.assert_allclose(size, exact, rtol=3e-6)


@pytest.mark.parametrize("name", norms.NORMS)
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e20])
def test_size_is_the_norm_whatever_the_scale(name, scale):
  delta = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32) * np.float32(scale)
  expected = np.linalg.norm(delta.astype(np.float64).ravel(), ORDERS[name])
  np.testing.assert_allclose(norms.get(name).size(jnp.asarray(delta)), expected, rtol=1e-6)


@pytest.mark.parametrize("name", norms.NORMS)
def test_a_step_gains_the_dual_norm(name):
  """No unit step gains more on a linear function: the maximum is the gradient's dual norm.

  One percent of 60 coordinates is the largest one, so l1 reaches it too.
  """
  gradient = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
  step = norms.get(name).steepest(jnp.asarray(gradient), jnp.full(SHAPE, 0.5))
  dual = {"linf": 1, "l2": 2, "l1": np.inf}[name]
  np.testing.assert_allclose(norms.get(name).size(step), 1, rtol=1e-6)
  gain = np.sum(np.asarray(step) * gradient)
  np.testing.assert_allclose(gain, np.linalg.norm(gradient.ravel(), dual), rtol=1e-5)


@pytest.mark.parametrize("name", norms.NORMS)
def test_a_zero_gradient_is_no_step(name):
  assert not norms.get(name).steepest(jnp.zeros(SHAPE), jnp.full(SHAPE, 0.5)).any()


def test_an_l1_step_moves_one_percent_where_the_box_allows():
  draw = np.random.default_rng(0)
  gradient, image = draw.normal(size=(20, 20, 3)).astype(np.float32), np.zeros((20, 20, 3), "f4")
  step = np.asarray(norms.get("l1").steepest(jnp.asarray(gradient), jnp.asarray(image)))
  largest = np.sort(gradient[gradient > 0])[-12:]  # Down from 0 is outside the box.
  np.testing.assert_allclose(step[np.isin(gradient, largest)], 1 / 12, rtol=1e-6)
  assert (step != 0).sum() == 12


@given(seed=st.integers(0, 999), rank=st.integers(0, 59))
def test_order_statistics_equal_a_sort(seed, rank):
  draw = np.random.default_rng(seed)
  values = np.abs(draw.normal(size=60)).astype(np.float32)
  values[draw.random(60) < 0.3] = draw.choice([0.0, 1e-40, 1.0])  # Ties and subnormal numbers.
  statistic = roots.order_statistic(jnp.asarray(values), jnp.int32(rank))
  assert statistic == np.sort(values)[rank]


@pytest.mark.parametrize("name", norms.NORMS)
def test_samples_are_uniform_in_the_ball(name):
  """The share of a ball of dimension d within a fraction r of its radius is r^d."""
  keys = jax.random.split(jax.random.key(0), 2000)
  image = jnp.zeros((2, 1, 3))
  sample = jax.vmap(lambda key: norms.get(name).sample(key, image, jnp.float32(0.5)))(keys)
  sizes = np.linalg.norm(np.asarray(sample).reshape(2000, -1), ORDERS[name], axis=1) / 0.5
  assert stats.kstest(sizes**6, "uniform").pvalue > 0.01


def test_an_unknown_norm_is_an_error_with_the_nearest_match():
  with pytest.raises(errors.InputError, match="Did you mean 'linf'"):
    attacks.pgd(norm="inf")
