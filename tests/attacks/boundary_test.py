"""The boundary attack against a loop in numpy with the same draws, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import blackbox as reference
from references import towers

from jaxbench import attacks, data, errors, models
from jaxbench.attacks.parts import decision

KEY = jax.random.key(0)


def test_queries_equal_those_of_numpy_with_the_same_draws(tiny, examples):
  """From the noise through several changes of both lengths."""
  image, label = jnp.asarray(examples[0][2]), int(examples[1][2])
  attack = attacks.boundary(queries=1000, keep_going=True)
  recorder = reference.Recorder(tiny)
  state = attack.init(attacks.Example(KEY, image, jnp.int32(label), jnp.float32(10)))
  start = jax.jit(lambda key: decision.noise(key, image, 1))
  direction = jax.jit(lambda key: jax.random.normal(key, image.shape))

  def drawn(function):
    return np.asarray(function(jax.random.fold_in(KEY, len(recorder.seen))), np.float64)

  loop = reference.boundary(
    np.asarray(image, np.float64), lambda: drawn(start), lambda: drawn(direction)
  )
  step, expected, lengths = jax.jit(attack.step), next(loop), set()
  nearest = np.inf, np.inf
  while not state.progress.done:
    state = step(recorder.classifier, state)
    jax.effects_barrier()
    images, logits = recorder.seen[-1]
    np.testing.assert_allclose(images, expected, atol=2e-4)
    across = reference.across(logits, label)
    expected = loop.send(across)
    lengths.add((float(state.memory.around), float(state.memory.towards)))
    if across[0]:
      distance = float(np.linalg.norm(images[0] - image))
      nearest = min(nearest, (reference.price(distance, logits[0], label), distance))
  assert len(recorder.seen) == attack.steps * attack.forwards == 1000
  assert len({around for around, _ in lengths}) > 2
  assert len({towards for _, towards in lengths}) > 4
  np.testing.assert_allclose(state.distance, nearest[0], rtol=1e-5)
  np.testing.assert_allclose(np.linalg.norm(state.image - image), nearest[1], rtol=1e-5)


@pytest.mark.slow
def test_it_comes_near_the_boundary_of_a_linear_classifier(linear):
  images = 0.4 + 0.2 * np.random.default_rng(0).random((8, 4, 4, 3), np.float32)
  weights = linear.args[0][:, :2]
  classifier = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  logits = np.asarray(classifier(images), np.float64)
  labels = logits.argmax(axis=1).astype(np.int32)
  expected = np.abs(logits[:, 0] - logits[:, 1]) / np.linalg.norm(weights[:, 0] - weights[:, 1])
  attack = attacks.boundary(queries=3000, keep_going=True)
  smallest = attacks.minimal_epsilon(attack, classifier, images, labels, 10.0, key=KEY, slots=1)
  assert (smallest.epsilon >= expected * (1 - 1e-4)).all()
  np.testing.assert_allclose(smallest.epsilon, expected, rtol=0.005)


def test_where_no_noise_fools_it_gives_up_and_returns_the_clean_image(examples):
  images, labels = examples
  stubborn = jax.tree_util.Partial(lambda x: jnp.eye(10)[jnp.zeros(len(x), int)])
  attack = attacks.boundary(queries=500, starts=7)
  zeros = np.zeros_like(labels)
  result = attacks.run(attack, stubborn, images, zeros, 1.0, KEY, slots=1)
  assert not result.success.any()
  np.testing.assert_array_equal(result.adversarial, images)
  np.testing.assert_array_equal(result.steps, 7)


@pytest.mark.slow
def test_robust_accuracy_is_that_of_torch(scans):
  count, steps, radius = 40, 150, 7.0
  clip = models.load("digits-clip")
  ours = models.zero_shot(clip, data.load("digits").class_names, models.templates("simple"))
  theirs = towers.Classifier(ours, clip.config)
  images, labels = (array[:count] for array in scans)
  nearest = reference.nearest(
    lambda image, start, draw: reference.boundary(image, start, lambda: draw()[0]),
    theirs,
    images,
    labels,
    reference.draws(KEY, count, lambda key: decision.noise(key, images[0], 1)),
    reference.draws(KEY, count, lambda key: jax.random.normal(key, images.shape[1:])[None]),
    steps,
  )
  result = attacks.run(attacks.boundary(queries=steps), ours, images, labels, radius, KEY, slots=4)
  reference.assert_as_strong(result.success, nearest > radius)


@pytest.mark.parametrize(
  "arguments", [{"queries": 0}, {"starts": 0}, {"around": 0.0}, {"towards": 0.0}, {"towards": 1.0}]
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.boundary(**arguments)
