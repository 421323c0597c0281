"""What is particular to PGD and FGSM: closed forms on linear classifiers, a loop in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, errors
from jaxbench.attacks.engine import slots
from jaxbench.attacks.parts import losses

IMAGES = 0.4 + 0.2 * np.random.default_rng(0).random((16, 4, 4, 3), np.float32)
EPSILON = 0.05


def _labels(linear):
  return np.asarray(jnp.argmax(linear(IMAGES), axis=1), np.int32)


@pytest.mark.slow
def test_fgsm_is_the_sign_of_the_gradient(linear):
  labels = _labels(linear)

  def loss(x):
    return losses.cross_entropy(linear(x[None])[0], labels[0])

  expected = IMAGES[0] + 1e-6 * np.sign(jax.grad(loss)(jnp.asarray(IMAGES[0])))
  result = attacks.run(attacks.fgsm(), linear, IMAGES[:1], labels[:1], 1e-6, jax.random.key(0))
  assert not result.success.any()
  np.testing.assert_allclose(result.adversarial[0], expected, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_margin_pgd_fools_a_linear_classifier_exactly_where_its_margin_allows(norm, dual, linear):
  """With two classes, an image can be turned iff epsilon times the dual norm exceeds its margin."""
  weights = linear.args[0][:, :2]
  classifier = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  logits = np.asarray(classifier(IMAGES), np.float64)
  labels = np.argmax(logits, axis=1).astype(np.int32)
  direction = np.asarray(weights[:, 0] - weights[:, 1], np.float64)
  smallest = np.abs(logits[:, 0] - logits[:, 1]) / np.linalg.norm(direction, dual)
  for epsilon in np.quantile(smallest, [0.1, 0.5, 0.9]):
    result = attacks.run(
      attacks.pgd(steps=20, norm=norm, loss="margin"),
      classifier,
      IMAGES,
      labels,
      epsilon,
      jax.random.key(1),
    )
    clear = np.abs(smallest / epsilon - 1) > 1e-3
    inside = smallest < 0.35  # The box [0, 1] is far enough away.
    np.testing.assert_array_equal(
      result.success[clear & inside], (smallest < epsilon)[clear & inside]
    )


def test_iterates_equal_a_plain_loop(linear):
  """Five steps from the same random start, written with numpy."""
  labels = _labels(linear)
  attack = attacks.pgd(steps=5)
  keys = jax.random.split(jax.random.key(0), 16)
  state = jax.vmap(attack.init, (attacks.Example(0, 0, 0, None),))(
    attacks.Example(keys, IMAGES, labels, jnp.float32(EPSILON))
  )
  weights, x = np.asarray(linear.args[0]), np.asarray(state.image)
  done = np.zeros(16, bool)
  for _ in range(5):
    logits = x.reshape(16, -1) @ weights
    probability = np.exp(logits - logits.max(1, keepdims=True))
    probability /= probability.sum(1, keepdims=True)
    gradient = ((probability - np.eye(3)[labels]) @ weights.T).reshape(x.shape)
    done |= np.argmax(logits, axis=1) != labels
    moved = np.clip(x + 2.5 * EPSILON / 5 * np.sign(gradient), IMAGES - EPSILON, IMAGES + EPSILON)
    x = np.where(done[:, None, None, None], x, np.clip(moved, 0, 1)).astype(np.float32)
  for _ in range(5):
    after = jax.vmap(attack.step, (None, 0))(linear, state)
    state = slots.where(state.progress.done, state, after)
  np.testing.assert_allclose(state.image, x, atol=1e-6)


@pytest.mark.slow
def test_more_steps_find_more(tiny, examples):
  images, labels = examples
  successes = [
    attacks.run(
      attacks.pgd(steps=steps), tiny, images, labels, 3 / 255, jax.random.key(0)
    ).success.sum()
    for steps in (1, 5, 20)
  ]
  assert 0 < successes[0] <= successes[1] <= successes[2] < len(labels)


def test_a_users_own_loss_is_climbed(linear):
  """Minus the margin makes a linear model only surer: nothing can be fooled."""
  surer = attacks.pgd(
    steps=3, loss=lambda logits, label: -losses.margin(logits, label), random_start=False
  )
  result = attacks.run(surer, linear, IMAGES, _labels(linear), 0.3, jax.random.key(0))
  assert not result.success.any()
  assert (result.distance > 0).all()


@pytest.mark.slow
def test_a_step_size_in_pixels_is_the_relative_one_at_one_epsilon(linear):
  in_pixels, relative = (
    attacks.pgd(steps=4, step_size=0.02),
    attacks.pgd(steps=4, relative_step=0.8),
  )
  found = [
    attacks.run(attack, linear, IMAGES, _labels(linear), 0.1, jax.random.key(0)).adversarial
    for attack in (in_pixels, relative)
  ]
  np.testing.assert_allclose(*found, atol=1e-7)


def test_equal_attacks_are_one_object_and_share_their_program():
  assert attacks.pgd(steps=7) is attacks.pgd(steps=7)


@pytest.mark.parametrize(
  "arguments", [{"steps": 0}, {"relative_step": 0.0}, {"step_size": 2.0}, {"loss": "mse"}]
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.pgd(**arguments)


@pytest.mark.parametrize("seed", range(3))
def test_margin_is_positive_exactly_when_fooled(seed):
  logits = jax.random.normal(jax.random.key(seed), (5,))
  for label in range(5):
    fooled = int(jnp.argmax(logits)) != label
    assert bool(losses.margin(logits, jnp.int32(label)) > 0) == fooled
