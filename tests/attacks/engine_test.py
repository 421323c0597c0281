import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, errors

KEY = jax.random.key(0)


def test_slots_and_batches_do_not_change_verdicts(tiny, examples):
  images, labels = examples
  runs = [
    attacks.run(attacks.pgd(steps=4), tiny, images, labels, 4 / 255, KEY, slots=slots)
    for slots in (1, 3, 64)
  ]
  for other in runs[1:]:
    np.testing.assert_array_equal(runs[0].success, other.success)
    np.testing.assert_array_equal(runs[0].steps, other.steps)
    np.testing.assert_allclose(runs[0].adversarial, other.adversarial, atol=1e-6)


def test_passes_are_counted(tiny, examples):
  images, labels = (array[:20] for array in examples)
  result = attacks.run(attacks.pgd(steps=4), tiny, images, labels, 4 / 255, KEY)
  np.testing.assert_array_equal(result.forwards, result.steps + 2)  # Clean, and the verdict.
  np.testing.assert_array_equal(result.backwards, result.steps)
  survivors = ~result.success
  assert (result.steps[survivors] == 4).all()
  assert (result.steps <= 4).all()


def test_each_example_has_its_own_epsilon(tiny, examples):
  images, labels = (array[:20] for array in examples)
  epsilons = np.linspace(0, 0.1, 20).astype(np.float32)
  result = attacks.run(attacks.fgsm(), tiny, images, labels, epsilons, KEY)
  assert (result.distance <= epsilons + 1e-6).all()
  assert result.distance[-1] > 0.05 or result.success[-1]


def test_an_attack_that_leaves_the_ball_has_no_success(tiny, examples):
  """A broken attack can only look weaker than it is."""
  images, labels = (array[1:9] for array in examples)
  honest = attacks.pgd(steps=1)

  def escape(classifier, state):
    wrong = dataclasses.replace(state, image=jnp.zeros_like(state.image) + 0.5)
    return dataclasses.replace(wrong, done=jnp.bool_(True))

  result = attacks.run(honest._replace(step=escape), tiny, images, labels, 0.01, KEY)
  assert (result.prediction != labels).any()
  assert not result.success.any()


def test_logits_that_are_not_numbers_are_no_success(examples):
  images, labels = (array[:8] for array in examples)
  broken = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1)[:, :10] * w, jnp.nan)
  result = attacks.run(attacks.fgsm(), broken, images, labels, 0.01, KEY)
  assert not result.success.any()


IMAGES = np.zeros((2, 4, 4, 3), np.float32)
LABELS = np.zeros(2, np.int32)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ((IMAGES.astype(np.uint8), LABELS, 0.1), "float32"),
    ((IMAGES[0], LABELS, 0.1), "float32"),
    ((IMAGES[:0], LABELS[:0], 0.1), "B >= 1"),
    ((IMAGES + 2, LABELS, 0.1), "normalisation belongs inside"),
    ((IMAGES * np.nan, LABELS, 0.1), r"\[0, 1\]"),
    ((IMAGES, LABELS + 3, 0.1), "0..2"),
    ((IMAGES, LABELS[:1], 0.1), "2 integers"),
    ((IMAGES, LABELS.astype(np.float32), 0.1), "integers"),
    ((IMAGES, LABELS, -0.1), "epsilon"),
    ((IMAGES, LABELS, [0.1, 0.1, 0.1]), "epsilon"),
  ],
)
def test_bad_input_is_one_clear_line(arguments, message, linear):
  with pytest.raises(errors.InputError, match=message):
    attacks.run(attacks.fgsm(), linear, *arguments, KEY)
