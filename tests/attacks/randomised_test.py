"""Attacks on randomised classifiers: means over draws, and verdicts by keys of their own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, errors, spec
from jaxbench.attacks.parts import losses

KEY = jax.random.key(1)
EPSILON = 0.1
GRADIENT = ("bim", "dim", "fgsm", "mim", "ni", "pgd", "si", "tim", "vmi")
SMALLEST = ("cw", "cw_linf", "ddn", "deepfool", "ead", "fab", "fmn")


def _noisy(weights, images, key=None):
  """A network whose weights are noisy; without a key they are as they are."""
  if key is not None:
    weights = weights + 0.5 * jax.random.normal(key, weights.shape)
  return jnp.tanh(images.reshape(len(images), -1) @ weights) * 4


@pytest.fixture(scope="module")
def noisy():
  weights = np.random.default_rng(0).normal(size=(48, 3)).astype(np.float32)
  return jax.tree_util.Partial(_noisy, weights / 4)


@pytest.fixture(scope="module")
def some(noisy):
  images = np.random.default_rng(1).random((12, 4, 4, 3), np.float32)
  return images, np.asarray(noisy(images).argmax(axis=1), np.int32)


@pytest.mark.slow
@pytest.mark.parametrize("draws", [1, 3])
def test_a_step_of_pgd_is_along_the_mean_gradient_of_its_draws(draws, noisy, some):
  image, label = jnp.asarray(some[0][0]), jnp.int32(some[1][0])
  attack = attacks.bim(steps=1, norm="l2", relative_step=0.5, draws=draws, keep_going=True)
  example = attacks.Example(KEY, image, label, jnp.float32(EPSILON))
  state = jax.jit(attack.step)(noisy, attack.init(example))
  drawn = jax.random.split(jax.random.fold_in(KEY, 0), draws) if draws > 1 else [None]

  def loss(image, key):
    return losses.cross_entropy(noisy(image[None], key=key)[0], label)

  values, slopes = zip(*(jax.value_and_grad(loss)(image, key) for key in drawn), strict=True)
  np.testing.assert_allclose(state.strongest.loss, np.mean(values), rtol=1e-5)
  mean = np.mean(slopes, axis=0)
  moved = np.clip(image + 0.5 * EPSILON * mean / np.linalg.norm(mean), 0, 1)
  second = attacks.bim(steps=2, norm="l2", relative_step=1.0, draws=draws, keep_going=True)
  state = jax.jit(second.step)(noisy, second.init(example))
  np.testing.assert_allclose(state.image, moved, atol=1e-5)


@pytest.mark.parametrize("name", (*GRADIENT, *SMALLEST))
def test_draws_are_counted_and_untold_where_there_is_one(name):
  factory = attacks.ATTACKS[name]
  one, four = factory(), factory(draws=4)
  assert (four.forwards, four.backwards) == (4 * one.forwards, 4 * one.backwards)
  assert (one.draws, four.draws) == (1, 4)
  told = spec.resolve(name, attacks.ATTACKS, "attack").full
  assert "draws" not in told
  assert spec.resolve(f"{name}(draws=1)", attacks.ATTACKS, "attack").full == told
  assert "draws=4" in spec.resolve(f"{name}(draws=4)", attacks.ATTACKS, "attack").full
  with pytest.raises(errors.InputError, match="draws >= 1"):
    factory(draws=0)


def _indifferent(network, images, key=None):
  """A network that would draw, if it did not do so by the same key every time."""
  return network(images, key=jax.random.key(5))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_the_mean_of_equal_draws_is_one_of_them(name, noisy, some):
  network = jax.tree_util.Partial(_indifferent, noisy)
  image = jnp.asarray(some[0][0])
  label = jnp.int32(np.asarray(network(image[None])).argmax())
  example = attacks.Example(KEY, image, label, jnp.float32(2.0))
  seen = []

  def counted(images, key=None):
    seen.append(key)
    return network(images)

  @jax.jit
  def both():
    states = []
    for draws in (1, 3):
      attack = attacks.ATTACKS[name](draws=draws)
      state = attack.init(example)
      for _ in range(2):
        state = attack.step(counted, state)
      states.append(state)
    return [jax.tree.leaves(dataclasses.replace(state, example=None)) for state in states]

  one, three = both()
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), one, three)
  assert any(key is not None for key in seen)


@pytest.mark.parametrize("attack", [attacks.pgd(steps=3, draws=2, keep_going=True)])
def test_a_verdict_is_what_most_evaluations_by_unseen_keys_say(attack, noisy, some):
  images, labels = some
  found = attacks.run(attack, noisy, images, labels, EPSILON, KEY, slots=2, evaluations=5)
  assert found.votes.shape == (12, 5)
  most = [np.bincount(votes, minlength=3).max() for votes in found.votes]
  rows = np.arange(12)
  chosen = np.array([(found.votes[row] == found.prediction[row]).sum() for row in rows])
  np.testing.assert_array_equal(chosen, most)
  np.testing.assert_array_equal(found.success, found.prediction != labels)
  assert len(np.unique(found.votes[:, 0] != found.votes[:, 1])) == 2  # Keys differ.
  other = attacks.run(attack, noisy, images, labels, EPSILON, KEY, slots=6, evaluations=5)
  np.testing.assert_array_equal(found.votes, other.votes)
  assert found.refuted.sum() == 0


def test_without_evaluations_there_are_no_votes(noisy, some):
  found = attacks.run(attacks.pgd(steps=1), noisy, *some, EPSILON, KEY, slots=2)
  assert found.votes is None
  with pytest.raises(errors.InputError, match="evaluations must be a number of them, not -1"):
    attacks.run(attacks.pgd(steps=1), noisy, *some, EPSILON, KEY, evaluations=-1)
