"""The smallest epsilon, against closed forms, brute force and the plain attack."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, errors

KEY = jax.random.key(2)
IMAGES = 0.4 + 0.2 * np.random.default_rng(0).random((16, 4, 4, 3), np.float32)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_a_linear_classifier_it_is_the_margin_over_the_dual_norm(norm, linear):
  weights = linear.args[0][:, :2]
  classifier = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  logits = np.asarray(classifier(IMAGES), np.float64)
  labels = np.argmax(logits, axis=1).astype(np.int32)
  direction = np.asarray(weights[:, 0] - weights[:, 1], np.float64)
  dual = np.linalg.norm(direction, 1 if norm == "linf" else 2)
  expected = np.abs(logits[:, 0] - logits[:, 1]) / dual
  attack = attacks.pgd(steps=20, norm=norm, loss="margin")
  smallest = attacks.minimal_epsilon(
    attack, classifier, IMAGES, labels, upper=3.0, tolerance=1e-4, key=KEY, slots=2
  )
  near = expected < (0.35 if norm == "linf" else 2.0)  # The box is far enough away.
  assert near.sum() > 3
  assert (smallest.epsilon[near] >= expected[near] * (1 - 1e-5)).all()
  np.testing.assert_allclose(smallest.epsilon[near], expected[near], rtol=0.05)
  np.testing.assert_array_equal(np.asarray(smallest), smallest.epsilon)


@pytest.mark.slow
def test_it_is_the_size_of_a_real_adversarial_image(tiny, examples):
  images, labels = examples
  labels = labels.copy()
  labels[:3] = (labels[:3] + 1) % 10  # Wrong without an attack.
  upper = 6 / 255
  attack = attacks.pgd(steps=6)
  smallest = attacks.minimal_epsilon(attack, tiny, images, labels, upper, key=KEY, slots=1)
  prediction = np.asarray(tiny(smallest.adversarial)).argmax(axis=1)
  sizes = np.abs(smallest.adversarial - images).max(axis=(1, 2, 3))
  fooled = np.isfinite(smallest.epsilon)
  assert not smallest.epsilon[:3].any()
  assert 3 < fooled.sum() < len(labels)
  np.testing.assert_array_equal(prediction != labels, fooled)
  np.testing.assert_allclose(sizes[fooled], smallest.epsilon[fooled], rtol=1e-5)
  once = attacks.run(attack, tiny, images, labels, upper, KEY, slots=1)
  np.testing.assert_array_equal(once.success, fooled)
  assert (smallest.epsilon[fooled] <= upper + 1e-6).all()


def test_the_curve_agrees_with_attacks_at_single_epsilons(tiny, examples):
  images, labels = examples
  attack = attacks.apgd(steps=20)
  smallest = attacks.minimal_epsilon(attack, tiny, images, labels, 0.08, key=KEY, slots=1)
  epsilons = np.array([1, 2, 4, 8]) / 255
  curve = smallest.accuracy(epsilons)
  single = [
    1 - attacks.run(attack, tiny, images, labels, e, KEY, slots=1).success.mean() for e in epsilons
  ]
  np.testing.assert_allclose(curve, single, atol=1.5 / len(labels))
  assert curve[0] > curve[-1]


def test_a_minimizing_attack_runs_once(tiny, examples):
  images, labels = examples
  fab = attacks.fab(steps=20, targets=3, keep_going=True)
  smallest = attacks.minimal_epsilon(fab, tiny, images, labels, 1.0, key=KEY, slots=1)
  assert (smallest.steps == 60).all()
  pgd = attacks.minimal_epsilon(attacks.apgd(steps=50), tiny, images, labels, 0.2, key=KEY, slots=1)
  assert np.isfinite(smallest.epsilon).all()
  assert np.median(smallest) < 1.15 * np.median(pgd)


@pytest.mark.parametrize(
  ("attack", "tolerance", "message"),
  [(attacks.autoattack(), 0.1, "not a cascade"), (attacks.pgd(), 0.0, "tolerance")],
)
def test_bad_arguments_are_one_clear_line(attack, tolerance, message, linear):
  labels = np.zeros(16, np.int32)
  with pytest.raises(errors.InputError, match=message):
    attacks.minimal_epsilon(attack, linear, IMAGES, labels, 0.1, tolerance, key=KEY)


@pytest.mark.slow
def test_an_attack_that_overshoots_is_tried_at_smaller_epsilons():
  """The classes alternate with the brightness, so a long step lands beyond the other one."""

  def forward(images):
    turns = jnp.cos(2 * np.pi / 0.2 * (images.mean(axis=(1, 2, 3)) - 0.39))
    return jnp.stack([turns, jnp.zeros_like(turns)], axis=1)

  images, labels = np.full((3, 2, 2, 3), 0.4, np.float32), np.zeros(3, np.int32)
  options = {"key": KEY, "slots": 1}
  fooled = [
    attacks.run(attacks.fgsm(), jax.tree_util.Partial(forward), images, labels, epsilon, **options)
    for epsilon in (0.19, 0.19 * 0.75, 0.19 * 0.75**2)
  ]
  assert [result.success.all() for result in fooled] == [False, False, True]
  smallest = attacks.minimal_epsilon(
    attacks.fgsm(), jax.tree_util.Partial(forward), images, labels, 0.19, 1 / 255, **options
  )
  # A quarter turn, of which the image itself has 0.01.
  np.testing.assert_allclose(smallest.epsilon, 0.05 - 0.01, atol=1 / 255)
  assert smallest.steps.max() <= 2 * attacks.most_probes(attacks.fgsm(), 0.19, 1 / 255)


@pytest.mark.slow
@pytest.mark.parametrize(
  "attack", [attacks.fgsm(), attacks.bim(steps=2), attacks.mim(steps=2)], ids=["fgsm", "bim", "mim"]
)
def test_where_the_last_step_leads_is_looked_at(attack, tiny, examples):
  """What is fooled at an epsilon has a smallest one, no larger."""
  images, labels = examples
  result = attacks.run(attack, tiny, images, labels, 4 / 255, KEY, slots=1)
  assert 0.2 < result.success.mean() < 0.8
  smallest = attacks.minimal_epsilon(
    attack, tiny, images, labels, 4 / 255, 1 / 255, key=KEY, slots=1
  )
  np.testing.assert_array_equal(np.isfinite(smallest.epsilon), result.success)


@pytest.mark.slow
def test_a_restart_does_not_undo_what_the_last_step_has_fooled():
  """It climbs to the side on which it started, and only the bright side fools."""

  def forward(images):
    brighter = images.mean(axis=(1, 2, 3)) - 0.5
    margin = jnp.where(brighter > 0, brighter - 0.05, -brighter - 0.2)
    return jnp.stack([jnp.zeros_like(margin), margin], axis=1)

  images, labels = np.full((16, 2, 2, 3), 0.5, np.float32), np.zeros(16, np.int32)
  once, more = (
    attacks.run(
      attacks.pgd(steps=1, restarts=restarts),
      jax.tree_util.Partial(forward),
      images,
      labels,
      0.1,
      KEY,
      slots=1,
    )
    for restarts in (1, 4)
  )
  assert 2 < once.success.sum() < 14
  assert more.success.sum() > 12
  assert more.success[once.success].all()
