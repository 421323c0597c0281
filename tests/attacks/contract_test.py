"""What every attack promises; a new attack adds one row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, devices

TABLE = {
  "fgsm": attacks.fgsm(),
  "fgsm, l2": attacks.fgsm(norm="l2"),
  "pgd": attacks.pgd(steps=5),
  "pgd, l2": attacks.pgd(steps=5, norm="l2"),
  "pgd, margin": attacks.pgd(steps=5, loss="margin"),
  "pgd, no random start": attacks.pgd(steps=5, random_start=False),
}
pytestmark = pytest.mark.parametrize("attack", TABLE.values(), ids=TABLE)
COUNT = 24
KEY = jax.random.key(5)


@pytest.fixture
def batch(scans):
  images, labels = scans
  return images[:COUNT], labels[:COUNT]


def _epsilon(attack):
  return 8 / 255 if attack.norm.size(jnp.ones((2, 2, 3))) == 1 else 1.0


def test_every_iterate_is_inside_the_ball_and_the_box(attack, classifier, batch):
  images, labels = batch
  epsilon = jnp.linspace(0, _epsilon(attack), COUNT)
  state = jax.vmap(attack.init)(jax.random.split(KEY, COUNT), images, labels, epsilon)
  step = jax.jit(jax.vmap(attack.step, in_axes=(None, 0)))
  for _ in range(attack.steps + 1):
    sizes = jax.vmap(attack.norm.size)(state.image - images)
    assert (sizes <= epsilon * (1 + 1e-6) + 1e-6).all()
    assert state.image.min() >= 0
    assert state.image.max() <= 1
    state = step(classifier, state)
  assert state.done.all()


def test_success_is_what_an_independent_forward_pass_says(attack, classifier, batch):
  images, labels = batch
  result = attacks.run(attack, classifier, images, labels, _epsilon(attack), KEY)
  prediction = np.argmax(classifier(result.adversarial), axis=1)
  np.testing.assert_array_equal(result.success, prediction != labels)
  np.testing.assert_array_equal(result.prediction, prediction)
  assert result.success.any()
  order = np.inf if _epsilon(attack) < 0.5 else 2
  sizes = np.linalg.norm((result.adversarial - images).reshape(COUNT, -1), order, axis=1)
  np.testing.assert_allclose(result.distance, sizes, rtol=1e-5)
  assert (sizes <= _epsilon(attack) + 1e-6).all()


def test_epsilon_zero_is_the_identity(attack, classifier, batch):
  images, labels = batch
  result = attacks.run(attack, classifier, images, labels, 0.0, KEY)
  np.testing.assert_array_equal(result.adversarial, images)


def test_one_program_serves_any_epsilon_and_neighbours_change_nothing(attack, classifier, batch):
  images, labels = batch
  program, replicated = devices.shard(attacks.program(attack)), devices.replicate(classifier)
  keys, epsilons = jax.random.split(KEY, COUNT), np.full(COUNT, _epsilon(attack), np.float32)
  together = program(replicated, keys, images, labels, epsilons)
  back = slice(None, None, -1)
  turned = program(replicated, keys[back], images[back], labels[back], epsilons)
  for name in ("prediction", "steps", "adversarial"):
    np.testing.assert_array_equal(getattr(together, name), getattr(turned, name)[back])
  program(replicated, keys, images, labels, epsilons / 2)
  assert program._cache_size() == 1


def test_what_is_misclassified_already_is_left_alone(attack, classifier, batch):
  images, _ = batch
  wrong = (np.argmax(classifier(images), axis=1) + 1) % 10
  result = attacks.run(attack, classifier, images, wrong.astype(np.int32), 0.1, KEY)
  np.testing.assert_array_equal(result.adversarial, images)
  assert result.success.all()
  assert not result.steps.any()
  assert (result.forwards == 2).all()
  assert not result.backwards.any()
