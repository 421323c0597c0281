"""Each ball against numpy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxbench import attacks, errors
from jaxbench.attacks import norms

ORDERS = {"linf": np.inf, "l2": 2}
SHAPE = (5, 4, 3)


@pytest.mark.parametrize("name", norms.NORMS)
@given(seed=st.integers(0, 999), radius=st.floats(0, 3), scale=st.sampled_from([1e-30, 1.0, 100.0]))
def test_projection_is_the_nearest_point_of_the_ball(name, seed, radius, scale):
  delta = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32) * np.float32(scale)
  found = np.asarray(norms.get(name).project(jnp.asarray(delta), jnp.float32(radius)))
  size = np.linalg.norm(delta.astype(np.float64).ravel(), ORDERS[name])
  expected = np.clip(delta, -radius, radius) if name == "linf" else delta * min(1, radius / size)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("name", norms.NORMS)
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e20])
def test_size_is_the_norm_whatever_the_scale(name, scale):
  delta = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32) * np.float32(scale)
  expected = np.linalg.norm(delta.astype(np.float64).ravel(), ORDERS[name])
  np.testing.assert_allclose(norms.get(name).size(jnp.asarray(delta)), expected, rtol=1e-6)


@pytest.mark.parametrize("name", norms.NORMS)
def test_steepest_reaches_the_dual_norm(name):
  """No unit step gains more on a linear function: the maximum is the gradient's dual norm."""
  gradient = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
  step = norms.get(name).steepest(jnp.asarray(gradient))
  dual = {"linf": 1, "l2": 2}[name]
  np.testing.assert_allclose(norms.get(name).size(step), 1, rtol=1e-6)
  gain = np.sum(np.asarray(step) * gradient)
  np.testing.assert_allclose(gain, np.linalg.norm(gradient.ravel(), dual), rtol=1e-5)


@pytest.mark.parametrize("name", norms.NORMS)
def test_a_zero_gradient_is_no_step(name):
  assert not norms.get(name).steepest(jnp.zeros(SHAPE)).any()


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
