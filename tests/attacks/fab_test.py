"""FAB's projections against solvers of scipy, and the attack against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from jaxbench import attacks, errors
from jaxbench.attacks.parts import hyperplane

SHAPE = (3, 2, 3)
ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}


def _solved(norm, weights, image, amount):
  """The least norm of a delta with <weights, delta> = -amount inside the box, by a solver."""
  count = len(weights)
  boxes = list(zip(-image, 1 - image, strict=True))
  if norm == "l2":
    solution = optimize.minimize(
      lambda d: d @ d,
      np.zeros(count),
      jac=lambda d: 2 * d,
      bounds=boxes,
      constraints={"type": "eq", "fun": lambda d: weights @ d + amount, "jac": lambda d: weights},
      method="SLSQP",
      options={"maxiter": 500, "ftol": 1e-14},
    )
    return np.sqrt(solution.fun)
  # Linear programs: minimise a bound on all |d_i|, or the sum of bounds on each.
  bounds = 1 if norm == "linf" else count
  cost = np.concatenate([np.zeros(count), np.ones(bounds)])
  spread = np.ones((count, 1)) if norm == "linf" else np.eye(count)
  above = np.block([[np.eye(count), -spread], [-np.eye(count), -spread]])
  equal = np.concatenate([weights, np.zeros(bounds)])[None]
  solution = optimize.linprog(
    cost,
    A_ub=above,
    b_ub=np.zeros(2 * count),
    A_eq=equal,
    b_eq=[-amount],
    bounds=[*boxes, *[(0, None)] * bounds],
  )
  return solution.fun


@pytest.mark.slow
@pytest.mark.parametrize("norm", ORDERS)
@given(seed=st.integers(0, 999), share=st.floats(0.01, 0.95), sign=st.sampled_from([-1, 1]))
def test_projections_reach_the_hyperplane_at_the_least_cost(norm, seed, share, sign):
  draw = np.random.default_rng(seed)
  image, weights = draw.random(SHAPE), draw.normal(size=SHAPE)
  weights[draw.random(SHAPE) < 0.1] = 0
  reach = (np.abs(weights) * np.where(sign * weights < 0, 1 - image, image)).sum()
  amount = sign * share * reach
  project = jax.jit(hyperplane.projection(norm))
  delta = np.asarray(project(*(jnp.asarray(x, jnp.float32) for x in (weights, image, amount))))
  assert ((image + delta > -1e-6) & (image + delta < 1 + 1e-6)).all()
  np.testing.assert_allclose((weights * delta).sum(), -amount, rtol=1e-4, atol=1e-5)
  expected = _solved(norm, weights.ravel(), image.ravel(), amount)
  np.testing.assert_allclose(np.linalg.norm(delta.ravel(), ORDERS[norm]), expected, rtol=1e-3)


@pytest.mark.parametrize("norm", ORDERS)
def test_what_cannot_be_reached_goes_as_far_as_the_box(norm):
  draw = np.random.default_rng(0)
  image, weights = draw.random(SHAPE).astype(np.float32), draw.normal(size=SHAPE).astype(np.float32)
  delta = hyperplane.projection(norm)(jnp.asarray(weights), jnp.asarray(image), jnp.float32(1e3))
  np.testing.assert_allclose(image + delta, (weights < 0).astype(np.float32), atol=1e-6)


@pytest.mark.parametrize("norm", ORDERS)
def test_no_direction_is_no_move(norm):
  project = hyperplane.projection(norm)
  delta = project(jnp.zeros(SHAPE), jnp.full(SHAPE, 0.5), jnp.float32(1))
  assert not delta.any()


@pytest.mark.usual("l2")
@pytest.mark.parametrize("norm", ORDERS)
def test_on_a_linear_classifier_it_finds_the_nearest_point_of_the_boundary(norm, linear):
  images = 0.4 + 0.2 * np.random.default_rng(0).random((16, 4, 4, 3), np.float32)
  logits = np.asarray(linear(images), np.float64)
  labels = logits.argmax(axis=1).astype(np.int32)
  weights = np.asarray(linear.args[0], np.float64)
  expected = []
  for image, logit, label in zip(images, logits, labels, strict=True):
    others = sorted(set(range(3)) - {label})
    costs = [
      _solved(norm, weights[:, label] - weights[:, o], image.ravel(), logit[label] - logit[o])
      for o in others
    ]
    expected.append(min(costs))
  for targets in (2, 0):
    fab = attacks.fab(steps=30, norm=norm, targets=targets, keep_going=True)
    smallest = attacks.minimal_epsilon(
      fab, linear, images, labels, 10.0, key=jax.random.key(0), slots=2
    )
    assert (smallest.epsilon >= np.array(expected) * (1 - 1e-3)).all()
    np.testing.assert_allclose(smallest.epsilon, expected, rtol=0.05)


@pytest.mark.parametrize("arguments", [{"steps": 0}, {"targets": -1}, {"norm": "l0"}])
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.fab(**arguments)
