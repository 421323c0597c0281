"""The door of attacks: whatever is passed works, or is refused in one line."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import table

from jaxbench import attacks, errors

PGD = attacks.pgd(steps=4)


def _run(classifier, examples, attack=PGD, **changes):
  images, labels = examples
  given = {"epsilon": 6 / 255, "key": jax.random.key(0), "slots": 3} | changes
  return attacks.run(attack, classifier, images, labels, **given)


def _assert_same(result, expected):
  np.testing.assert_array_equal(result.success, expected.success)
  np.testing.assert_allclose(result.adversarial, expected.adversarial, atol=1e-6)
  assert result.logits.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", ["autoattack", "boundary", "deepfool", "ead", "fmn", "pgd"])
def test_logits_of_half_precision_work(name, dtype, tiny, examples):
  images, labels = examples
  coarse = jax.tree_util.Partial(lambda w, x: tiny.func(w, x).astype(dtype), tiny.args[0])
  attack = table.TABLE[name]
  result = attacks.run(attack, coarse, images, labels, table.radius(attack), 0, slots=3)
  predicted = np.asarray(coarse(result.adversarial)).argmax(axis=1)
  np.testing.assert_array_equal(result.success, predicted != labels)
  assert result.success.any()


@pytest.mark.usual("fab")
@pytest.mark.parametrize("name", ["autoattack", "boundary", "deepfool", "fab", "hopskipjump"])
def test_nothing_changes_where_64_bits_are_enabled(name, tiny, examples):
  images, labels = examples
  attack = table.TABLE[name]
  expected = attacks.run(attack, tiny, images, labels, table.radius(attack), 0, slots=3)
  with jax.enable_x64(True):
    wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), tiny)
    result = attacks.run(attack, wide, images, labels, table.radius(attack), 0, slots=3)
  np.testing.assert_array_equal(result.success, expected.success)
  np.testing.assert_allclose(result.adversarial, expected.adversarial, atol=1e-6)


def test_a_bisection_works_where_64_bits_are_enabled(tiny, examples):
  images, labels = examples
  with jax.enable_x64(True):
    smallest = attacks.minimal_epsilon(PGD, tiny, images, labels, 8 / 255, key=0, slots=3)
  assert smallest.epsilon.dtype == np.float32
  assert np.isfinite(smallest.epsilon).any()


@dataclasses.dataclass
class _Object:
  """Callable, and no pytree."""

  weights: list

  def __call__(self, images):
    return _forward(self.weights, images)


def _forward(weights, images):
  hidden = np.sqrt(0.5) * jax.nn.gelu(images.reshape(len(images), -1) @ weights[0] - 1)
  return hidden.astype(np.float32) @ weights[1]


@pytest.mark.slow
def test_plain_functions_and_objects_work(tiny, examples):
  expected = _run(tiny, examples)
  _assert_same(_run(lambda images: tiny(images), examples), expected)
  _assert_same(_run(_Object(tiny.args[0]), examples), expected)


def test_an_object_whose_weights_have_changed_is_attacked_as_it_is(tiny, examples):
  """Nothing that was compiled for the old ones is taken for it."""
  changing = _Object(tiny.args[0])
  _run(changing, examples)
  changing.weights = [changing.weights[0], changing.weights[1][:, ::-1]]
  result = _run(changing, examples)
  assert result.success[result.steps == 0].all()
  predicted = np.asarray(changing(result.adversarial)).argmax(axis=1)
  np.testing.assert_array_equal(result.prediction, predicted)


def test_leaves_that_are_functions_are_structure(tiny, examples):
  """As Equinox keeps the activations of its modules."""

  @jax.tree_util.register_dataclass
  @dataclasses.dataclass
  class Module:
    weights: list
    activation: object

    def __call__(self, images):
      hidden = self.activation(images.reshape(len(images), -1) @ self.weights[0] - 1)
      return np.float32(np.sqrt(0.5)) * hidden @ self.weights[1]

  _assert_same(_run(Module(tiny.args[0], jax.nn.gelu), examples), _run(tiny, examples))


@pytest.mark.parametrize("key", [0, np.int64(0), np.uint32(0), jnp.int32(0), jax.random.PRNGKey(0)])
def test_keys_of_every_kind_are_the_same(key, tiny, examples):
  _assert_same(_run(tiny, examples, key=key), _run(tiny, examples))


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"epsilon": np.nan}, "epsilon must be one number >= 0"),
    ({"epsilon": [[0.1] * 24]}, "epsilon must be one number >= 0"),
    ({"slots": 0}, "slots must be a whole number"),
    ({"slots": 2.5}, "slots must be a whole number"),
    ({"slots": True}, "slots must be a whole number"),
    ({"key": "0"}, "key must be"),
    ({"key": 0.5}, "key must be"),
    ({"key": jax.random.split(jax.random.key(0))}, "key must be"),
    ({"search_dtype": "float16"}, "search_dtype"),
    ({"search_dtype": "bfloat16"}, "compute_in"),
  ],
  ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_bad_arguments_are_one_line(changes, message, tiny, examples):
  with pytest.raises(errors.InputError, match=message) as raised:
    _run(tiny, examples, **changes)
  assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
  ("spoil", "message"),
  [
    (lambda logits: (logits, logits), "not to a tuple"),
    (lambda logits: {"logits": logits}, "not to a dict"),
    (lambda logits: logits[0], r"not to float32 \[10\]"),
    (lambda logits: logits[:, :1], r"not to float32 \[1, 1\]"),
    (lambda logits: logits.argmax(axis=1)[:, None], "not to int32"),
  ],
)
def test_outputs_that_are_no_logits_are_one_line(spoil, message, tiny, examples):
  classifier = jax.tree_util.Partial(lambda w, x: spoil(tiny.func(w, x)), tiny.args[0])
  with pytest.raises(errors.InputError, match=message):
    _run(classifier, examples)


def test_what_cannot_be_called_or_hashed_is_one_line(examples):
  with pytest.raises(errors.InputError, match="must be callable"):
    _run(3, examples)

  @jax.tree_util.register_dataclass
  @dataclasses.dataclass
  class Module:
    names: object

    def __call__(self, images):
      return images.reshape(len(images), -1)[:, :3]

  with pytest.raises(errors.InputError, match="a leaf of the classifier is a set"):
    _run(Module({"cat"}), examples)


def test_what_a_callable_declares_counts_whether_it_is_a_pytree_or_not(tiny, examples):
  """Classes that are the same, and a way to compute in another dtype."""
  asked = []

  class Declared(_Object):
    same_as = np.arange(20) % 10

    def __call__(self, images):
      return _forward(self.weights, images)[:, self.same_as]

    def compute_in(self, dtype):
      asked.append(dtype)
      return self

  attack = attacks.apgd(steps=4, loss="margin")
  expected = _run(tiny, examples, attack)
  result = _run(Declared(tiny.args[0]), examples, attack, search_dtype="bfloat16")
  np.testing.assert_array_equal(result.success, expected.success)
  assert expected.success.any()
  assert asked == ["bfloat16"]
