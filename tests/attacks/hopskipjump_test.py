"""HopSkipJump against a loop in numpy with the same draws, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import blackbox as reference
from references import towers

from jaxbench import attacks, data, errors, models
from jaxbench.attacks.parts import decision

KEY = jax.random.key(0)


def _direction(key, shape, norm):
  if norm == "linf":
    return jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)
  return jax.random.normal(key, shape)


@pytest.mark.usual("linf-8")
@pytest.mark.parametrize(("norm", "batch"), [("l2", 1), ("linf", 8)])
def test_queries_equal_those_of_numpy_with_the_same_draws(norm, batch, tiny, examples):
  """From the noise through several jumps."""
  image, label = jnp.asarray(examples[0][2]), int(examples[1][2])
  attack = attacks.hopskipjump(queries=1000, norm=norm, batch=batch, samples=50, keep_going=True)
  recorder = reference.Recorder(tiny)
  state = attack.init(attacks.Example(KEY, image, jnp.int32(label), jnp.float32(10)))
  start = jax.jit(lambda key: decision.noise(key, image, batch))
  direction = jax.jit(lambda key: _direction(key, (batch, *image.shape), norm))

  def drawn(function):
    return np.asarray(function(jax.random.fold_in(KEY, len(recorder.seen))), np.float64)

  loop = reference.hopskipjump(
    np.asarray(image, np.float64),
    lambda: drawn(start),
    lambda: drawn(direction),
    norm=norm,
    batch=batch,
    samples=50,
  )
  step, expected = jax.jit(attack.step), next(loop)
  while not state.progress.done:
    state = step(recorder.classifier, state)
    jax.effects_barrier()
    images, logits = recorder.seen[-1]
    equal = np.isclose(images, expected, atol=2e-4)
    assert equal.mean() > (
      0.98 if norm == "linf" else 0.9999
    )  # Of a slope of 0, the sign may differ.
    expected = loop.send(reference.across(logits, label))
  assert len(recorder.seen) == attack.steps == 1000 // batch
  assert sum(len(images) for images, _ in recorder.seen) == attack.steps * attack.forwards
  assert state.memory.jumps > 3
  order = np.inf if norm == "linf" else 2
  size = np.linalg.norm((state.image - image).ravel(), order)
  logits = np.asarray(tiny(state.image[None]))[0]
  np.testing.assert_allclose(state.distance, reference.price(size, logits, label), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", 1)])
def test_it_comes_near_the_boundary_of_a_linear_classifier(norm, order, linear):
  images = 0.4 + 0.2 * np.random.default_rng(0).random((8, 4, 4, 3), np.float32)
  weights = linear.args[0][:, :2]
  classifier = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  logits = np.asarray(classifier(images), np.float64)
  labels = logits.argmax(axis=1).astype(np.int32)
  slope = np.linalg.norm(weights[:, 0] - weights[:, 1], order)
  expected = np.abs(logits[:, 0] - logits[:, 1]) / slope
  attack = attacks.hopskipjump(queries=8000, norm=norm, batch=20, keep_going=True)
  smallest = attacks.minimal_epsilon(attack, classifier, images, labels, 10.0, key=KEY, slots=1)
  assert (smallest.epsilon >= expected * (1 - 1e-4)).all()
  np.testing.assert_allclose(smallest.epsilon, expected, rtol=0.02 if norm == "l2" else 0.05)


def test_where_no_noise_fools_it_gives_up_and_returns_the_clean_image(examples):
  images, labels = examples
  stubborn = jax.tree_util.Partial(lambda x: jnp.eye(10)[jnp.zeros(len(x), int)])
  attack = attacks.hopskipjump(queries=500, starts=7, batch=2)
  result = attacks.run(attack, stubborn, images, np.zeros_like(labels), 1.0, KEY, slots=1)
  assert not result.success.any()
  np.testing.assert_array_equal(result.adversarial, images)
  np.testing.assert_array_equal(result.steps, 4)


@pytest.mark.slow
def test_no_example_depends_on_its_neighbours(tiny, examples):
  """Foolbox divides the estimate by the norm of the whole batch; here every step is alone."""
  images, labels = examples
  attack = attacks.hopskipjump(queries=400, samples=20, keep_going=True)
  alone, together = (
    attacks.run(attack, tiny, images[:count], labels[:count], 5.0, KEY, slots=slots)
    for count, slots in ((1, 1), (24, 3))
  )
  np.testing.assert_allclose(alone.adversarial[0], together.adversarial[0], atol=1e-5)


@pytest.mark.slow
def test_robust_accuracy_is_that_of_torch(scans):
  count, batch, steps, radius = 40, 20, 15, 4.4
  clip = models.load("digits-clip")
  ours = models.zero_shot(clip, data.load("digits").class_names, models.templates("simple"))
  theirs = towers.Classifier(ours, clip.config)
  images, labels = (array[:count] for array in scans)
  shape = (batch, *images.shape[1:])
  nearest = reference.nearest(
    lambda image, start, draw: reference.hopskipjump(image, start, draw, batch=batch),
    theirs,
    images,
    labels,
    reference.draws(KEY, count, lambda key: decision.noise(key, images[0], batch)),
    reference.draws(KEY, count, lambda key: jax.random.normal(key, shape)),
    steps,
  )
  attack = attacks.hopskipjump(queries=batch * steps, batch=batch)
  result = attacks.run(attack, ours, images, labels, radius, KEY, slots=4)
  reference.assert_as_strong(result.success, nearest > radius)


@pytest.mark.parametrize(
  "arguments",
  [
    {"queries": 9},
    {"queries": 0},
    {"batch": 0},
    {"samples": 0},
    {"probe": 0.0},
    {"starts": 0},
    {"norm": "l1"},
    {"norm": "x"},
  ],
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.hopskipjump(**arguments)
