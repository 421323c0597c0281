"""The loss of an attacker of embeddings: closed forms on a linear encoder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, errors

IMAGES = 0.4 + 0.2 * np.random.default_rng(0).random((16, 4, 4, 3), np.float32)
EPSILON = 0.05


@pytest.fixture(scope="module")
def encoder():
  """Linear, and with far fewer outputs than there are classes."""
  weights = np.random.default_rng(1).normal(size=(48, 2)) * [1, 3]
  weights = weights.astype(np.float32)
  return jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)


@pytest.mark.slow
def test_iterates_equal_a_plain_loop(encoder):
  """The gradient of |W'(x - clean)|^2 is 2 W W'(x - clean)."""
  attack = attacks.pgd(steps=3, loss="distance", norm="l2", keep_going=True)
  keys = jax.random.split(jax.random.key(0), 16)
  labels = np.arange(16, dtype=np.int32)
  state = jax.vmap(attack.init, (attacks.Example(0, 0, 0, None),))(
    attacks.Example(keys, IMAGES, labels, jnp.float32(EPSILON))
  )
  weights, clean = np.asarray(encoder.args[0]), IMAGES.reshape(16, -1)
  x = np.asarray(state.image).reshape(16, -1)
  for _ in range(2):
    gradient = 2 * (x - clean) @ weights @ weights.T
    step = 2.5 * EPSILON / 3 * gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    delta = x + step - clean
    size = np.linalg.norm(delta, axis=1, keepdims=True)
    x = clean + delta * np.minimum(1, EPSILON / size)
    state = jax.vmap(attack.step, (None, 0))(encoder, state)
  np.testing.assert_allclose(np.asarray(state.image).reshape(16, -1), x, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pgd", "apgd"])
def test_embeddings_move_as_far_as_they_can(name, encoder):
  """In the l2 ball that is epsilon times the largest singular value; no label is looked at."""
  steps = {"relative_step": 40.0} if name == "pgd" else {}
  attack = attacks.ATTACKS[name](steps=40, loss="distance", norm="l2", keep_going=True, **steps)
  judge = jax.tree_util.Partial(lambda x: jnp.zeros((len(x), 900)).at[:, 899].set(1.0))
  labels = np.full(16, 899)
  result = attacks.run(attack, judge, IMAGES, labels, EPSILON, jax.random.key(0), surrogate=encoder)
  weights = np.asarray(encoder.args[0], np.float64)
  moved = (result.adversarial - IMAGES).reshape(16, -1) @ weights
  largest = EPSILON * np.linalg.svd(weights, compute_uv=False)[0]
  np.testing.assert_allclose(np.linalg.norm(moved, axis=1), largest, rtol=1e-3)
  assert not result.success.any()  # The judge cannot be fooled.
  looks = 40 + (name == "apgd")
  assert set(result.forwards) == {1 + 1 + 2 * looks}  # Of the encoder, and twice of the judge.
  assert set(result.backwards) == {looks}


@pytest.mark.slow
def test_verdicts_are_those_of_the_classifier_whatever_the_surrogate_thinks(tiny, examples):
  images, labels = examples
  blind = jax.tree_util.Partial(lambda x: x.mean(axis=(1, 2))[:, :1] * jnp.ones((1, 10)))
  attack = attacks.pgd(steps=5, keep_going=True)
  known = attacks.run(attack, tiny, images, labels, 8 / 255, jax.random.key(0))
  same = attacks.run(attack, tiny, images, labels, 8 / 255, jax.random.key(0), surrogate=tiny)
  np.testing.assert_array_equal(known.adversarial, same.adversarial)
  other = attacks.run(attack, tiny, images, labels, 8 / 255, jax.random.key(0), surrogate=blind)
  prediction = np.argmax(tiny(other.adversarial), axis=1)
  np.testing.assert_array_equal(other.success, prediction != labels)
  assert other.success.sum() < known.success.sum()


@pytest.mark.parametrize(
  "arguments", [{"random_start": False}, {"target": 3}], ids=["no start", "target"]
)
def test_pgd_refuses_what_has_no_gradient_or_no_class(arguments):
  with pytest.raises(errors.InputError, match="'distance' takes no target"):
    attacks.pgd(loss="distance", **arguments)


def test_apgd_refuses_targets():
  with pytest.raises(errors.InputError, match="'distance' takes no target"):
    attacks.apgd(loss="distance", targets=3)
