import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, errors
from jaxbench.attacks.engine import batching

KEY = jax.random.key(0)


def test_slots_and_batches_do_not_change_verdicts(tiny, examples):
  images, labels = examples
  runs = [
    attacks.run(attacks.pgd(steps=4), tiny, images, labels, 4 / 255, KEY, slots=slots)
    for slots in (1, 3)
  ]
  for other in runs[1:]:
    np.testing.assert_array_equal(runs[0].success, other.success)
    np.testing.assert_array_equal(runs[0].steps, other.steps)
    np.testing.assert_allclose(runs[0].adversarial, other.adversarial, atol=1e-6)


def test_the_last_examples_go_on_in_a_quarter_of_the_slots(tiny, examples, monkeypatch):
  sizes, compact = [], batching._compact
  monkeypatch.setattr(batching, "_compact", lambda size: sizes.append(size) or compact(size))
  images, labels = (np.resize(array, (80, *array.shape[1:])) for array in examples)
  many, few = (
    attacks.run(attacks.apgd(steps=10), tiny, images, labels, 4 / 255, KEY, slots=slots)
    for slots in (32, 3)
  )
  assert sizes == [8]  # With 32 slots; of three a quarter would be none.
  assert 0 < many.success.mean() < 1
  np.testing.assert_array_equal(many.success, few.success)
  np.testing.assert_array_equal(many.steps, few.steps)
  np.testing.assert_allclose(many.adversarial, few.adversarial, atol=1e-5)


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


def test_an_attack_that_leaves_the_ball_returns_the_clean_image(tiny, examples):
  """A broken attack can only look weaker than it is; its claims are counted."""
  images, labels = (array[1:9] for array in examples)
  honest = attacks.pgd(steps=1)

  def escape(classifier, state):
    wrong = dataclasses.replace(state, image=jnp.zeros_like(state.image) + 0.5)
    progress = wrong.progress.replace(fooled=jnp.bool_(True), done=jnp.bool_(True))
    return dataclasses.replace(wrong, progress=progress)

  result = attacks.run(honest._replace(step=escape), tiny, images, labels, 0.01, KEY)
  np.testing.assert_array_equal(result.adversarial, images)
  assert (result.distance == 0).all()
  assert not result.success.any()
  assert (result.refuted > 1).all()
  assert [warning.name for warning in result.warnings] == ["refuted"]


def test_logits_that_are_not_numbers_count_against_the_model(examples):
  images, labels = (array[:8] for array in examples)
  broken = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1)[:, :10] * w, jnp.nan)
  result = attacks.run(attacks.fgsm(), broken, images, labels, 0.01, KEY)
  assert result.success.all()
  assert (result.prediction == -1).all()
  assert "not_finite" in [warning.name for warning in result.warnings]


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


@pytest.mark.slow
def test_a_cascade_gives_each_attack_what_the_others_left(tiny, examples):
  images, labels = examples
  aa = attacks.autoattack(steps=10, targets=3, queries=50)
  result = attacks.run(aa, tiny, images, labels, 4 / 255, KEY, slots=1)
  first = attacks.run(attacks.apgd(steps=10), tiny, images, labels, 4 / 255, KEY, slots=1)
  np.testing.assert_array_equal(result.stage == 0, first.success)
  survivors = ~result.success
  assert survivors.any()
  # 11 looks of APGD-CE, 3 targets of 12 (one ranks them), 30 steps of FAB, 51 queries.
  assert (result.steps[survivors] == 11 + 36 + 30 + 51).all()
  assert (result.backwards[survivors] == 11 + 36 + 30).all()
  assert (result.forwards[survivors] == 1 + 12 + 37 + 61 + 52).all()
  assert (result.stage[survivors] == -1).all()
  assert 0 < result.occupancy <= 1


@pytest.mark.slow
def test_restarts_go_on_only_where_none_has_succeeded(tiny, examples):
  images, labels = examples
  one, three = (
    attacks.run(attacks.pgd(steps=3, restarts=n), tiny, images, labels, 3 / 255, KEY, slots=1)
    for n in (1, 3)
  )
  assert (one.success <= three.success).all()
  early = one.steps < 3
  assert one.success[early].all()
  np.testing.assert_array_equal(three.steps[early], one.steps[early])
  assert (three.steps[~three.success] == 3 * (3 + 1)).all()  # Each run ends with a look.


def test_quantized_images_fool_as_files_do(tiny, examples):
  images, labels = examples
  images = np.round(images * 255).astype(np.float32) / np.float32(255)
  labels = np.asarray(tiny(images).argmax(axis=1), np.int32)
  result = attacks.run(
    attacks.apgd(steps=20), tiny, images, labels, 3 / 255, KEY, slots=1, quantize=True
  )
  stored = np.round(result.adversarial * 255).astype(np.uint8)
  np.testing.assert_allclose(stored / 255, result.adversarial, atol=1e-6)
  read = stored.astype(np.float32) / np.float32(255)
  assert result.success.any()
  prediction = np.asarray(tiny(read)).argmax(axis=1)
  np.testing.assert_array_equal(prediction[result.success] != labels[result.success], True)
  assert (np.abs(stored / 255.0 - images).max(axis=(1, 2, 3)) <= 3 / 255 + 1e-6).all()


@dataclasses.dataclass
class _Rounding:
  """A classifier whose half precision is wrong about one class in three."""

  weights: object
  function: object
  coarse: bool = False

  def __call__(self, images):
    logits = self.function(self.weights, images)
    wrong = 8.0 * (jnp.arange(10) % 3 == 0).astype(jnp.float32)[None]
    return logits - wrong if self.coarse else logits

  def compute_in(self, dtype):
    return dataclasses.replace(self, coarse=dtype == "bfloat16")


jax.tree_util.register_dataclass(_Rounding, ["weights"], ["function", "coarse"])


@pytest.mark.slow
def test_what_half_precision_finds_is_judged_in_full_and_searched_again(tiny, examples):
  images, labels = examples
  classifier = _Rounding(tiny.args[0], tiny.func)
  attack = attacks.apgd(steps=15)
  full, half = (
    attacks.run(attack, classifier, images, labels, 4 / 255, KEY, slots=1, search_dtype=dtype)
    for dtype in ("float32", "bfloat16")
  )
  prediction = np.asarray(tiny(half.adversarial)).argmax(axis=1)
  np.testing.assert_array_equal(half.success, prediction != labels)
  # Wherever the coarse search was misled, the full one was tried too.
  misled = labels % 3 == 0
  np.testing.assert_array_equal(half.success[misled], full.success[misled])
  assert (half.forwards[misled] > full.forwards[misled]).any()


@pytest.mark.slow
def test_a_model_of_the_zoo_searches_in_bfloat16(classifier, scans):
  images, labels = (array[:16] for array in scans)
  attack = attacks.pgd(steps=3)
  result = attacks.run(
    attack, classifier, images, labels, 16 / 255, KEY, slots=1, search_dtype="bfloat16"
  )
  prediction = np.argmax(classifier(result.adversarial), axis=1)
  np.testing.assert_array_equal(result.success, prediction != labels)
  assert result.success.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
  ("spoil", "name"),
  [
    (lambda logits, images: jax.nn.softmax(logits), "softmax"),
    (lambda logits, images: jnp.round(logits), "zero_gradient"),
    (lambda logits, images: jnp.where(images[:, 0, 0, :1] > 0.5, jnp.nan, logits), "not_finite"),
  ],
)
def test_signs_of_untrustworthy_figures_are_warnings(spoil, name, tiny, examples):
  images, labels = examples
  classifier = jax.tree_util.Partial(lambda w, x: spoil(tiny.func(w, x), x), tiny.args[0])
  result = attacks.run(attacks.pgd(steps=2), classifier, images, labels, 0.01, KEY, slots=1)
  assert name in [warning.name for warning in result.warnings]
  assert np.isfinite(result.distance).all()


def test_square_winning_alone_is_a_sign_of_masked_gradients(tiny, examples):
  """Logits rounded to whole numbers have no gradient; Square needs none."""
  images, labels = examples
  rounded = jax.tree_util.Partial(lambda w, x: jnp.round(4 * tiny.func(w, x)), tiny.args[0])
  labels = np.asarray(rounded(images).argmax(axis=1), np.int32)
  aa = attacks.autoattack(attacks=("apgd-ce", "square"), steps=5, queries=300)
  result = attacks.run(aa, rounded, images, labels, 12 / 255, KEY, slots=1)
  names = [warning.name for warning in result.warnings]
  assert (result.stage == 1).any()
  assert {"zero_gradient", "gradient_masking"} <= set(names)


def test_a_classifier_that_changes_its_mind_is_a_warning(tiny, examples):
  images, labels = examples
  draw = np.random.default_rng(0)

  def noisy(weights, x):
    shape = jax.ShapeDtypeStruct((), jnp.float32)
    noise = jax.pure_callback(lambda: np.float32(draw.normal()), shape, vmap_method="sequential")
    return tiny.func(weights, x) + 5 * noise * jnp.arange(10.0)[None]

  classifier = jax.tree_util.Partial(noisy, tiny.args[0])
  result = attacks.run(attacks.square(queries=2), classifier, images, labels, 0.01, KEY, slots=1)
  assert "randomized" in [warning.name for warning in result.warnings]


def test_a_search_dtype_needs_a_classifier_that_has_it(linear):
  with pytest.raises(errors.InputError, match="compute_in"):
    attacks.run(attacks.fgsm(), linear, IMAGES, LABELS, 0.1, KEY, search_dtype="bfloat16")
  with pytest.raises(errors.InputError, match="bfloat16"):
    attacks.run(attacks.fgsm(), linear, IMAGES, LABELS, 0.1, KEY, search_dtype="float16")
