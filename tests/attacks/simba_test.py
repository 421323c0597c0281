"""SimBA against a loop in numpy with the same order of vectors, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import blackbox as reference
from references import towers
from references.attacks import margin

from jaxbench import attacks, data, errors, models

KEY = jax.random.key(0)


def _vectors(basis, shape, spans):
  """All vectors of a basis, [D, H, W, 3], by row, column and channel."""
  if basis == "pixel":
    return np.eye(np.prod(shape)).reshape(-1, *shape)
  height, width, _ = shape
  return np.stack(
    [
      np.multiply.outer(
        np.outer(reference.cosines(height, row), reference.cosines(width, column)),
        np.eye(3)[channel],
      )
      for row in range(spans[0])
      for column in range(spans[1])
      for channel in range(3)
    ]
  )


@pytest.mark.parametrize(("basis", "radius"), [("pixel", 0.5), ("dct", 0.3)])
def test_queries_equal_those_of_numpy_in_the_same_order(basis, radius, tiny, examples):
  """Through a whole basis, projection onto the ball and the beginning of a second round."""
  image, label = examples[0][3], examples[1][3]
  attack = attacks.simba(queries=500, basis=basis, share=0.5)
  recorder = reference.Recorder(tiny)
  state = attack.init(
    attacks.Example(KEY, jnp.asarray(image), jnp.int32(label), jnp.float32(radius))
  )
  vectors = _vectors(basis, image.shape, (4, 4))
  np.testing.assert_array_equal(np.sort(state.order), np.arange(len(vectors)))
  loop = reference.simba(
    image.astype(np.float64), radius, vectors[np.asarray(state.order)], step_size=0.2
  )
  step, expected = jax.jit(attack.step), next(loop)
  lengths = []
  while not state.progress.done:
    state = step(recorder.classifier, state)
    jax.effects_barrier()
    (images, logits) = recorder.seen[-1]
    np.testing.assert_allclose(images, expected, atol=2e-6)
    others = np.delete(logits[0], label)
    expected = loop.send(others.max(keepdims=True) - logits[0, label])
    lengths.append(np.linalg.norm(images - image))
  assert len(recorder.seen) == int(state.progress.count) * attack.forwards
  assert state.progress.fooled or len(recorder.seen) == attack.steps
  assert len(recorder.seen) > 100
  assert np.max(lengths) > 0.99 * radius


def test_on_a_linear_classifier_one_round_moves_every_pixel_the_right_way(linear):
  weights = np.asarray(linear.args[0])[:, :2]
  classifier = jax.tree_util.Partial(
    lambda w, x: x.reshape(len(x), -1) @ w + jnp.array([[99.0, 0.0]]), weights
  )
  image = jnp.full((4, 4, 3), 0.5)
  attack = attacks.simba(queries=2 * 48 + 1, step_size=0.01)
  state = attack.init(attacks.Example(KEY, image, jnp.int32(0), jnp.float32(10)))
  step = jax.jit(attack.step)
  for _ in range(attack.steps):
    state = step(classifier, state)
  direction = (weights[:, 1] - weights[:, 0]).reshape(image.shape)
  # A vector that goes back needs one query, the others two: some pixels have a second turn.
  np.testing.assert_array_equal(np.sign(state.image - 0.5), np.sign(direction))
  moved = np.round(np.abs(state.image - 0.5) / 0.01)
  assert set(moved.ravel()) <= {1, 2}


@pytest.mark.slow
def test_robust_accuracy_is_that_of_torch(scans):
  count, queries, radius = 40, 100, 3.0
  clip = models.load("digits-clip")
  ours = models.zero_shot(clip, data.load("digits").class_names, models.templates("simple"))
  theirs = towers.Classifier(ours, clip.config)
  images, labels = (array[:count] for array in scans)
  classes = torch.tensor(labels).long()
  vectors = _vectors("dct", images.shape[1:], (8, 8))
  orders = jax.vmap(lambda key: jax.random.permutation(key, len(vectors)))(
    reference.keys(KEY, count)
  )
  loops = [
    reference.simba(image.astype(np.float64), radius, vectors[order], step_size=0.5)
    for image, order in zip(images, np.asarray(orders), strict=True)
  ]
  asked = [next(loop) for loop in loops]
  fooled = np.zeros(count, bool)
  for _ in range(queries):
    with torch.inference_mode():
      points = torch.tensor(np.concatenate(asked), dtype=torch.float32)
      values = margin(theirs(points), classes).numpy()
    fooled |= values > 0
    asked = [loop.send(value[None]) for loop, value in zip(loops, values, strict=True)]
  attack = attacks.simba(queries=queries, basis="dct", share=1 / 4, step_size=0.5)
  result = attacks.run(attack, ours, images, labels, radius, KEY, slots=4)
  reference.assert_as_strong(result.success, ~fooled)


@pytest.mark.parametrize(
  "arguments",
  [
    {"queries": 0},
    {"queries": 1},
    {"step_size": 0.0},
    {"share": 0.0},
    {"basis": "x"},
    {"loss": "x"},
    {"norm": "l0"},
  ],
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.simba(**arguments)
