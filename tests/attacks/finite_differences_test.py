"""NES and SPSA against a loop in torch with the same directions, closed forms, counted queries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import blackbox as reference
from references import towers
from references.attacks import margin
from scipy import stats

from jaxbench import attacks, data, errors, models
from jaxbench.attacks import finite_differences

KEY = jax.random.key(0)
DRAWS = {"nes": jax.random.normal, "spsa": finite_differences.signs}


def _directions(name, key, pairs, shape):
  return jax.vmap(lambda key: DRAWS[name](key, shape, jnp.float32))(jax.random.split(key, pairs))


def _in_torch(classifier):
  forward = jax.jit(lambda c, x: c(x))
  return lambda images: torch.tensor(np.asarray(forward(classifier, images.numpy())))


def test_signs_are_fair_and_independent():
  drawn = jax.vmap(lambda key: finite_differences.signs(key, (5, 9, 3)))(jax.random.split(KEY, 400))
  drawn = np.asarray(drawn).reshape(400, -1)  # 135 each: the last word is used in part.
  np.testing.assert_array_equal(np.abs(drawn), 1)
  # Correlations of 400 signs are normal, with a deviation of 1 / 20.
  correlations = (drawn.T @ drawn / 400)[np.triu_indices(135, 1)] * 20
  assert stats.kstest(correlations, "norm").statistic < 0.03
  assert stats.kstest(drawn.mean(axis=0) * 20, "norm").pvalue > 1e-3


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", DRAWS)
def test_steps_equal_those_of_torch_with_the_same_directions(name, norm, tiny, examples):
  images, labels = examples
  radius = 0.02 if norm == "linf" else 0.3
  attack = attacks.ATTACKS[name](queries=39, norm=norm, pairs=6, sigma=0.02, chunk=2)
  keys = reference.keys(KEY, len(images))
  state = jax.vmap(attack.init)(
    attacks.Example(keys, images, labels, jnp.full(len(images), radius))
  )
  step = jax.jit(jax.vmap(attack.step, (None, 0)))

  draw = reference.draws(KEY, len(images), lambda key: _directions(name, key, 6, images.shape[1:]))

  def directions(number):
    return torch.tensor(draw(number)).transpose(0, 1)

  clean, classes = torch.tensor(images), torch.tensor(labels).long()
  loop = reference.descend(
    _in_torch(tiny), clean, classes, radius, directions, norm=norm, steps=3, sigma=0.02
  )
  moved = np.zeros(len(images), bool)
  for expected, fooled in loop:
    state = step(tiny, state)
    equal = np.isclose(state.image, expected, atol=2e-5)
    assert equal.mean() > 0.9995  # A slope of almost zero may have either sign.
    np.testing.assert_array_equal(state.progress.fooled, fooled)
    moved |= (np.asarray(state.image) != images).any(axis=(1, 2, 3))
  assert moved.all()
  assert 0 < fooled.sum() < len(images)
  np.testing.assert_array_equal(state.progress.count, 3)
  assert state.progress.done.all()


@pytest.mark.parametrize("name", DRAWS)
def test_with_many_directions_it_climbs_a_linear_classifier_to_its_optimum(name, linear):
  image = np.full((4, 4, 3), 0.5, np.float32)
  weights = np.asarray(linear.args[0])[:, :2]
  # Far from the boundary, so that it goes on for all its steps.
  classifier = jax.tree_util.Partial(
    lambda w, x: x.reshape(len(x), -1) @ w + jnp.array([[9.0, 0.0]]), weights
  )
  attack = attacks.ATTACKS[name](queries=20 * 4001, pairs=2000, sigma=0.1)
  state = attack.init(attacks.Example(KEY, jnp.asarray(image), jnp.int32(0), jnp.float32(0.01)))
  step = jax.jit(attack.step)
  for _ in range(20):
    state = step(classifier, state)
  direction = (weights[:, 1] - weights[:, 0]).reshape(image.shape)
  gained = ((np.asarray(state.image) - image) * direction).sum()
  assert gained > 0.98 * 0.01 * np.abs(direction).sum()


def test_the_chunk_changes_only_rounding(tiny, examples):
  images, labels = examples
  adversarial = [
    attacks.run(
      attacks.nes(queries=50, norm="l2", pairs=12, sigma=0.02, chunk=chunk),
      tiny,
      images,
      labels,
      0.2,
      KEY,
      slots=1,
    ).adversarial
    for chunk in (12, 3)
  ]
  assert np.abs(adversarial[0] - images).max() > 0.01
  np.testing.assert_allclose(*adversarial, atol=1e-5)


@pytest.mark.parametrize("name", DRAWS)
def test_a_step_makes_as_many_queries_as_it_says(name, tiny, examples):
  attack = attacks.ATTACKS[name](queries=99, pairs=8, chunk=4)
  recorder = reference.Recorder(tiny)
  state = attack.init(
    attacks.Example(KEY, *(jnp.asarray(x[0]) for x in examples), jnp.float32(0.01))
  )
  step = jax.jit(attack.step)
  for number in range(1, attack.steps + 1):
    state = step(recorder.classifier, state)
    jax.effects_barrier()
    assert sum(len(images) for images, _ in recorder.seen) == attack.forwards * number
  assert attack.forwards == 17
  assert attack.steps == 5


@pytest.mark.slow
def test_a_classifier_without_slopes_or_numbers_moves_nothing(examples):
  image, label = (jnp.asarray(x[0]) for x in examples)
  for value in (0.0, jnp.nan):
    blind = jax.tree_util.Partial(lambda v, x: jnp.full((len(x), 10), v), value)
    for norm in ("linf", "l2", "l1"):
      attack = attacks.nes(queries=9, norm=norm, pairs=4)
      state = attack.step(blind, attack.init(attacks.Example(KEY, image, label, jnp.float32(0.1))))
      np.testing.assert_allclose(state.image, image, atol=1e-7)
      # Of equal logits the first leads.
      assert state.progress.fooled == bool(label != 0 or np.isnan(value))


@pytest.mark.slow
@pytest.mark.parametrize(
  ("attack", "name", "epsilon"),
  [("nes", "digits-clip", 14 / 255), ("spsa", "digits-clip-robust", 48 / 255)],
)
def test_robust_accuracy_is_that_of_torch(attack, name, epsilon, scans):
  count, pairs, steps = 40, 50, 4
  clip = models.load(name)
  ours = models.zero_shot(clip, data.load("digits").class_names, models.templates("simple"))
  theirs = towers.Classifier(ours, clip.config)
  images, labels = (array[:count] for array in scans)
  clean, classes = torch.tensor(images), torch.tensor(labels).long()
  draws = reference.draws(KEY, count, lambda key: _directions(attack, key, pairs, clean.shape[1:]))

  def draw(number):
    return torch.tensor(draws(number)).transpose(0, 1)

  with torch.inference_mode():
    wrong = margin(theirs(clean), classes) > 0
    loop = reference.descend(theirs, clean, classes, epsilon, draw, steps=steps, step_size=0.4)
    *_, (_, fooled) = loop
  method = attacks.ATTACKS[attack](queries=steps * (2 * pairs + 1), pairs=pairs, step_size=0.4)
  result = attacks.run(method, ours, images, labels, epsilon, KEY, slots=2)
  reference.assert_as_strong(result.success, (~wrong & ~fooled).numpy())


@pytest.mark.parametrize(
  "arguments",
  [
    {"queries": 200},
    {"queries": 0},
    {"pairs": 0},
    {"sigma": 0.0},
    {"step_size": -0.1},
    {"chunk": 3},
    {"chunk": 0},
    {"norm": "l0"},
  ],
)
@pytest.mark.parametrize("name", DRAWS)
def test_bad_arguments_are_errors(name, arguments):
  with pytest.raises(errors.InputError):
    attacks.ATTACKS[name](**arguments)
