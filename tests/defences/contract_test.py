"""What every defence promises, whatever it does."""

import collections
import dataclasses

import jax
import numpy as np
import pytest
from references import defences as reference

from jaxbench import defences, errors
from jaxbench.corruptions import jpeg

PROMPTS = defences.Prompts(*reference.prompts())
SUPPLIES = defences.Supplies(lambda: reference.BLANK, jpeg.round_trip, lambda: PROMPTS)
FEW = "views=5, chosen=2"
RANDOM = (
  f"rtpt({FEW}, neighbours=2)",
  f"tpt({FEW})",
  f"tpt({FEW}, augmix=True)",
  "dbd(views=4, chosen=2)",
  "hedge(steps=2)",
  "smooth(samples=3)",
  "ttc",
  "ttc(steps=0)",
)
TEXTS = (
  *RANDOM,
  "anti_adversary",
  "anti_adversary(compat='official')",
  "clipure_cos",
  "csr(threshold=2.0)",
  "et3(step=0.5)",
  "et3(norm='l2', radius=0.5)",
  "transform",
  "transform(kind='bits')",
  "transform(kind='blur')",
  "transform(kind='jpeg')",
  "tte(padding=1)",
  "tte(padding=1, compat='official')",
)


# One of each that is differentiated in its own way: the usual cases of what compiles much.
of_each_kind = pytest.mark.usual(
  RANDOM[0],
  "hedge(steps=2)",
  "ttc",
  "clipure_cos",
  "csr(threshold=2.0)",
  "et3(step=0.5)",
  "transform(kind='bits')",
)


def _defended(text, classifier=None):
  inside = reference.encoder() if classifier is None else classifier
  return defences.defend(inside, defences.resolve([text]), SUPPLIES)


@jax.jit
def _logits(defended, images, key):
  return defended(images, key=key)


@jax.jit
def _gradient(defended, images, key):
  return jax.grad(lambda images: jax.nn.log_softmax(defended(images, key=key))[:, 0].sum())(images)


@of_each_kind
@pytest.mark.parametrize("text", TEXTS)
def test_an_image_is_answered_alike_in_any_batch_and_otherwise_only_by_another_key(text):
  defended, images, key = _defended(text), reference.images(6), jax.random.key(3)
  logits = _logits(defended, images, key)
  order = np.array([3, 0, 5, 1, 4, 2])
  np.testing.assert_allclose(_logits(defended, images[order], key), logits[order], atol=2e-4)
  np.testing.assert_array_equal(_logits(defended, images, key), logits)
  alone = jax.jit(defended.one)(images[4], key)
  np.testing.assert_allclose(alone, logits[4], atol=2e-4)
  other = np.abs(_logits(defended, images, jax.random.key(4)) - logits).max()
  assert defended.random == (text in RANDOM) == (other > 1e-4)


def test_without_a_key_it_draws_by_its_seed():
  defended, images = _defended("ttc(seed=5)"), reference.images(2)
  np.testing.assert_array_equal(
    jax.jit(lambda defended, images: defended(images))(defended, images),
    _logits(defended, images, jax.random.key(5)),
  )


@of_each_kind
@pytest.mark.parametrize("text", TEXTS)
def test_three_ways_to_differentiate_have_the_same_outputs_and_finite_gradients(text):
  images, key = reference.images(4), jax.random.key(0)
  logits, slopes = {}, {}
  for backward in defences.BACKWARDS:
    defended = dataclasses.replace(_defended(text), backward=backward)
    logits[backward] = _logits(defended, images, key)
    slopes[backward] = np.asarray(_gradient(defended, images, key))
    assert np.isfinite(slopes[backward]).all()
    assert np.abs(slopes[backward]).max() > 0
  np.testing.assert_allclose(logits["bpda"], logits["exact"], atol=1e-5)
  np.testing.assert_allclose(logits["smooth"], logits["exact"], atol=1e-5)


@pytest.mark.usual("hedge(steps=2)")
@pytest.mark.parametrize("text", ["ttc", "hedge(steps=2)", "anti_adversary", "csr(threshold=2.0)"])
def test_through_signs_exact_derivatives_are_those_of_bpda_where_the_box_is_far(text):
  images, key = 0.4 + 0.2 * reference.images(4), jax.random.key(0)
  exact, bpda, smooth = (
    np.asarray(_gradient(_defended(text).replace(backward=backward), images, key))
    for backward in defences.BACKWARDS
  )
  np.testing.assert_allclose(exact, bpda, rtol=1e-4, atol=1e-5)
  assert np.abs(smooth - exact).max() > 1e-2


@pytest.mark.parametrize("text", TEXTS)
def test_a_prediction_takes_the_passes_that_it_declares(text):
  passes = collections.Counter()
  defended = _defended(text, reference.encoder(watch=reference.counter(passes)))
  jax.block_until_ready(jax.jit(defended.one)(reference.images(1)[0], jax.random.key(0)))
  jax.effects_barrier()
  assert (passes["forward"], passes["backward"]) == defended.cost[:2]


def test_the_cost_of_a_chain_is_that_of_all_it_runs():
  inner = _defended("anti_adversary(steps=1)")  # 3 forward, 1 backward.
  outer = _defended("hedge(steps=2)", inner)  # 3 forward, 2 backward of that.
  assert outer.cost == defences.Cost(9, 3 + 2 * 3)


def test_a_chain_draws_inside_and_outside_by_one_key():
  chain = _defended("tte(padding=1)", _defended("hedge(steps=1)"))
  images, key = reference.images(2), jax.random.key(1)
  assert chain.random and not _defended("tte(padding=1)").random
  other = _logits(chain, images, jax.random.key(2))
  assert np.abs(_logits(chain, images, key) - other).max() > 1e-4


def test_features_pass_through_a_transform_alone():
  filtered = _defended("transform(kind='bits', bits=1)")
  images = reference.images(3)
  np.testing.assert_allclose(
    jax.jit(lambda d, x: d.classify(d.features(x)))(filtered, images),
    jax.jit(lambda d, x: d(x))(filtered, images),
    atol=1e-5,
  )
  assert _defended("ttc", filtered).random
  with pytest.raises(errors.InputError, match="ttc works on the features of an image encoder"):
    _defended("ttc", _defended("tte(padding=1)"))


@pytest.mark.parametrize(
  ("text", "said"),
  [
    ("tt", "unknown defence 'tt'. Did you mean"),
    ("ttc(step=1, stride=2)", "unknown argument of defence ttc 'stride'"),
    ("ttc(steps=-1)", "ttc: steps=-1 must be at least 0"),
    ("hedge(backward='none')", "unknown backward of hedge 'none'"),
    ("anti_adversary(compat='old')", "unknown compat of anti_adversary 'old'"),
    ("dbd(views=8, chosen=8)", "dbd: of 7 crops 8 cannot be chosen"),
    ("csr(kind='blur')", "unknown low pass of csr 'blur'"),
    ("et3(norm='l1')", "unknown norm of et3 'l1'"),
    ("transform(kind='sharpen')", "unknown kind of transform 'sharpen'"),
    ("transform(kind='jpeg', quality=101)", "quality=101 is above 100"),
    ("tte(padding=1, crops=5)", "a padding of 1 has 4 different crops, not 5"),
    ("rtpt(views=9, chosen=10, neighbours=2)", "rtpt: of 9 views 10 cannot be chosen"),
    ("rtpt(views=9)", "rtpt: a view of 9 has fewer than neighbours=20 others"),
    ("smooth(samples=0)", "smooth: samples=0 must be at least 1"),
    ("ttc(steps='two')", "\"ttc(steps='two')\": "),
  ],
)
def test_what_cannot_be_meant_is_one_line(text, said):
  with pytest.raises(errors.InputError) as raised:
    _defended(text)
  assert said in str(raised.value)


def test_what_texts_cannot_say_is_asked_for():
  with pytest.raises(errors.InputError, match="needs a function"):
    defences.transform(reference.encoder(), kind="jpeg")
