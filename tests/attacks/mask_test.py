"""Masks: only these pixels may change, by whatever attack; what they allow is used in full."""

import jax
import numpy as np
import pytest

from jaxbench import attacks, errors

SIDE, COUNT = 8, 6
KEY = jax.random.key(3)


def linear(weights, images):
  """Two classes; the margin is linear in the image."""
  score = images.reshape(len(images), -1) @ weights
  return jax.numpy.stack([score, -score], axis=-1) / 2


@pytest.fixture(scope="module")
def problem():
  """A linear classifier, images well inside the box, masks: half of the pixels, others for each."""
  generator = np.random.default_rng(0)
  weights = generator.normal(size=SIDE * SIDE * 3).astype(np.float32)
  images = generator.uniform(0.4, 0.6, (COUNT, weights.size))
  scores = images @ weights  # Brought to one half, of either sign.
  images -= np.outer(scores - np.sign(scores) / 2, weights / (weights**2).sum())
  images = images.reshape(COUNT, SIDE, SIDE, 3).astype(np.float32)
  labels = (images.reshape(COUNT, -1) @ weights < 0).astype(np.int32)
  masks = generator.random((COUNT, SIDE, SIDE, 1)) < 0.5
  return jax.tree_util.Partial(linear, jax.numpy.asarray(weights)), images, labels, masks


def reach(problem, norm):
  """By how much a perturbation of size 1 inside the mask can lower the margin, [B]."""
  weights = np.asarray(problem[0].args[0]).reshape(1, SIDE, SIDE, 3)
  inside = np.abs(np.where(problem[3], weights, 0)).reshape(COUNT, -1)
  return {
    "linf": inside.sum(axis=1),
    "l2": np.sqrt((inside**2).sum(axis=1)),
    "l1": inside.max(axis=1),
  }[norm]


ATTACKS = {
  "pgd": attacks.pgd(steps=10),
  "pgd-l2": attacks.pgd(steps=20, norm="l2"),
  "apgd-l1": attacks.apgd(steps=20, norm="l1"),
  "si": attacks.si(steps=4, copies=2),
  "ddn": attacks.ddn(steps=100, initial_radius=0.2),
  "fab": attacks.fab(steps=10, norm="l2", restarts=2),
  "square": attacks.square(queries=200, norm="l2"),
  "hopskipjump": attacks.hopskipjump(queries=400, batch=20),
  "nes": attacks.nes(queries=205, pairs=20),
}


@pytest.mark.usual("pgd", "apgd-l1", "square")
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_else_changes(problem, name):
  classifier, images, labels, masks = problem
  attack = ATTACKS[name]
  norm = attacks.norm_name(attack.norm)
  margins = np.abs(images.reshape(COUNT, -1) @ np.asarray(classifier.args[0]))
  needed = margins / reach(problem, norm)
  epsilons = np.minimum(needed * np.where(np.arange(COUNT) % 2, 4.0, 0.98), 1.0)
  result = attacks.run(attack, classifier, images, labels, epsilons, KEY, mask=masks, slots=COUNT)
  changed = result.adversarial != images
  assert not (changed & ~masks).any()
  sizes = jax.vmap(attack.norm.size)(result.adversarial - images)
  assert (sizes <= epsilons * (1 + 1e-5) + 1e-6).all()
  assert not result.success[::2].any()  # No perturbation of this size inside the mask fools.
  assert result.success[1::2].all(), (name, result)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "steps"), [("linf", 20), ("l2", 20)])
def test_the_whole_radius_is_used_inside(problem, norm, steps):
  """The smallest epsilon is that of the best perturbation inside the mask."""
  classifier, images, labels, masks = problem
  needed = np.abs(images.reshape(COUNT, -1) @ np.asarray(classifier.args[0])) / reach(problem, norm)
  smallest = attacks.minimal_epsilon(
    attacks.apgd(steps=steps, norm=norm),
    classifier,
    images,
    labels,
    float(3 * needed.max()),
    key=KEY,
    mask=masks,
    tolerance=1e-4,
  )
  np.testing.assert_allclose(smallest.epsilon, needed, atol=2e-4, rtol=1e-3)


@pytest.mark.slow
def test_a_mask_of_everything_changes_no_bit(problem):
  classifier, images, labels, _ = problem
  arguments = attacks.pgd(steps=3), classifier, images, labels, 0.01, KEY
  free = attacks.run(*arguments, slots=COUNT)
  masked = attacks.run(*arguments, slots=COUNT, mask=np.ones((1, 1, 1), bool))
  np.testing.assert_array_equal(free.adversarial, masked.adversarial)


def test_quantized_images_are_kept_too(problem):
  classifier, images, labels, masks = problem
  images = np.round(images * 255).astype(np.float32) / 255
  labels = np.asarray(classifier(images)).argmax(-1)
  attack = attacks.pgd(steps=3, keep_going=True)
  result = attacks.run(
    attack, classifier, images, labels, 4 / 255, KEY, mask=masks, quantize=True, slots=COUNT
  )
  assert not ((result.adversarial != images) & ~masks).any()
  np.testing.assert_allclose(
    np.round(result.adversarial * 255), result.adversarial * 255, atol=1e-4
  )


STARTING = {
  "pgd": attacks.pgd(steps=4),
  "bim": attacks.bim(steps=4, norm="l2"),
  "mim": attacks.mim(steps=4),
  "apgd": attacks.apgd(steps=4),
  "apgd-l1": attacks.apgd(steps=4, norm="l1"),
}


@pytest.mark.parametrize("name", STARTING)
def test_a_first_run_begins_at_the_image_that_is_given(problem, name):
  _, images, labels, masks = problem
  attack, start = STARTING[name], jax.numpy.clip(images[0] + 0.01, 0, 1)
  epsilon = jax.numpy.float32(0.5)
  example = attacks.Example(KEY, images[0], labels[0], epsilon, masks[0], start)
  state = attack.init(example)
  radius = epsilon * (3 if name == "apgd-l1" else 1)
  expected = attack.norm.project(images[0], np.where(masks[0], start, images[0]), radius)
  np.testing.assert_array_equal(getattr(state, "point", state.image), expected)


def test_a_start_reaches_the_slots(problem):
  """What fools is given; an attack without steps that matter finds it, and none without it."""
  classifier, images, labels, _ = problem
  weights = np.asarray(classifier.args[0]).reshape(1, SIDE, SIDE, 3)
  start = images - 0.05 * np.sign(weights) * np.where(labels, -1, 1).reshape(-1, 1, 1, 1)
  attack = attacks.pgd(steps=1, step_size=1e-6, random_start=False, keep_going=True)
  arguments = attack, classifier, images, labels, 0.05, KEY
  assert not attacks.run(*arguments, slots=COUNT).success.any()
  result = attacks.run(*arguments, slots=COUNT, start=start.astype(np.float32))
  assert result.success.all()


def test_what_begins_nowhere_else_refuses_a_start(problem):
  classifier, images, labels, _ = problem
  with pytest.raises(errors.InputError, match="start: attack begins where it does"):
    attacks.run(attacks.ddn(), classifier, images, labels, 0.1, KEY, start=images)
  with pytest.raises(errors.InputError, match=r"start must be images float32 \[6, 8, 8, 3\]"):
    attacks.run(attacks.pgd(), classifier, images, labels, 0.1, KEY, start=images[:2])


@pytest.mark.parametrize(
  ("mask", "message"),
  [
    (
      np.ones((SIDE, SIDE, 1)),
      "mask must be of booleans, true where pixels may change, not float64",
    ),
    (np.ones((5, SIDE, 1), bool), r"mask \[5, 8, 1\] does not fit images \[6, 8, 8, 3\]"),
  ],
)
def test_a_wrong_mask_is_one_line(problem, mask, message):
  classifier, images, labels, _ = problem
  with pytest.raises(errors.InputError, match=message):
    attacks.run(attacks.pgd(), classifier, images, labels, 0.1, KEY, mask=mask)
