"""What attacks see of a classifier: declared classes once, undeclared ties as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from references.table import TABLE, radius

from jaxbench import attacks
from jaxbench.attacks.engine import view


@struct.dataclass
class Declared:
  """The classes of `tiny`, of which those in `same_as` are the same."""

  weights: list
  same_as: np.ndarray

  def __call__(self, images):
    hidden = jax.nn.gelu(images.reshape(len(images), -1) @ self.weights[0] - 1)
    logits = np.float32(np.sqrt(0.5)) * hidden @ self.weights[1]
    return logits[:, jnp.asarray(self.same_as) % 10]


TWICE = np.concatenate([np.arange(10), np.arange(10)]).astype(np.int32)


@pytest.mark.slow
@pytest.mark.parametrize(
  "row",
  ["pgd", "apgd, targets", "autoattack", "cw", "deepfool", "fab", "fmn", "square", "boundary"],
)
def test_classes_of_one_name_neither_stall_an_attack_nor_count(row, tiny, examples):
  """Every class twice: each attack does what it does to the classes once, bit by bit."""
  images, labels = examples
  attack = TABLE[row]
  once, twice = (
    attacks.run(attack, classifier, images, labels, radius(attack), 0, slots=3)
    for classifier in (Declared(tiny.args[0], np.arange(10)), Declared(tiny.args[0], TWICE))
  )
  assert once.success.any()
  np.testing.assert_array_equal(once.success, twice.success)
  np.testing.assert_array_equal(once.steps, twice.steps)
  np.testing.assert_array_equal(once.adversarial, twice.adversarial)
  np.testing.assert_array_equal(once.prediction, twice.prediction)
  assert twice.logits.shape == (24, 20)
  assert "zero_gradient" not in [one.name for one in twice.warnings]


def test_of_classes_that_are_the_same_the_first_is_predicted(tiny, examples):
  """Their accuracy is that of the first, with an attack as without."""
  images, labels = examples
  second = labels + 10
  result = attacks.run(
    attacks.pgd(steps=2), Declared(tiny.args[0], TWICE), images, second, 0.01, 0, slots=3
  )
  np.testing.assert_array_equal(result.prediction, labels)
  assert result.success.all()
  assert (result.distance == 0).all()


@pytest.mark.slow
def test_undeclared_ties_are_two_classes(examples):
  """Equal logits, whatever a third one is: the first is predicted, and the other is an error."""
  images, _ = examples
  for third in (0.0, -1e9, 1e9):
    logits = jnp.array([5.0, 5.0, third])
    flat = jax.tree_util.Partial(lambda z, x: jnp.tile(z[None], (len(x), 1)), logits)
    labels = np.arange(len(images), dtype=np.int32) % 2
    result = attacks.run(attacks.fgsm(), flat, images, labels, 0.01, 0, slots=3)
    np.testing.assert_array_equal(result.success, result.prediction != labels)
    assert (result.prediction == (2 if third > 5 else 0)).all()


def test_gradients_that_are_no_numbers_move_nothing(examples):
  images, labels = examples

  def spoil(_, images):
    root = jnp.sqrt(jnp.maximum(images[..., 0].mean(axis=(1, 2)) - 2.0, 0.0))
    return jax.nn.one_hot(jnp.zeros(len(images), jnp.int32), 10) + 0.0 * root[:, None]

  classifier = jax.tree_util.Partial(spoil, 0)
  result = attacks.run(attacks.bim(steps=3), classifier, images, 0 * labels, 0.01, 0, slots=3)
  np.testing.assert_array_equal(result.adversarial, images)
  assert "gradient_not_finite" in [one.name for one in result.warnings]


def test_a_surrogate_has_classes_of_its_own_names(tiny, examples):
  """The ensemble takes for one what all its members do."""
  members = [Declared(tiny.args[0], TWICE), Declared(tiny.args[0], np.arange(20))]
  assert attacks.ensemble([tiny, members[0]]).same_as is None
  np.testing.assert_array_equal(attacks.ensemble(members).same_as, np.arange(20))
  both = attacks.ensemble([members[0], members[0]])
  np.testing.assert_array_equal(both.same_as, TWICE)
  seen = view.distinct(both)
  np.testing.assert_array_equal(view.searched(seen, np.array([3, 13, 19])), [3, 3, 9])
  assert seen(examples[0]).shape == (24, 10)


def test_classes_that_are_called_the_same_are_counted_there_and_back():
  searcher = view.Distinct(None, np.array([0, 1, 3], np.int32), np.array([0, 1, 1, 2], np.int32))
  classes = np.array([0, 1, 2, 3], np.int32)
  seen = view.searched(searcher, classes)
  np.testing.assert_array_equal(view.original(searcher, seen), [0, 1, 1, 3])
  np.testing.assert_array_equal(view.original(searcher, np.array([-1, 2])), [-1, 3])
  assert view.classes(searcher, 4) == 3 and view.classes(None, 4) == 4
  logits = np.array([[5.0, 6.0, 7.0]])
  np.testing.assert_array_equal(view.spread(searcher, logits), [[5, 6, 6, 7]])
