"""Published defences against the same in torch, with the same draws; and extremes of them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import defences as reference
from scipy import ndimage

from jaxbench import defences
from jaxbench.corruptions import jpeg
from jaxbench.defences import inner
from jaxbench.defences.hedge import all_cross_entropies
from jaxbench.defences.views import resized_crop

IMAGES = reference.images(3, seed=5)
RADIUS = 8 / 255


@pytest.fixture(scope="module")
def classifier():
  return reference.encoder()


@pytest.fixture(scope="module")
def starts():
  draw = np.random.default_rng(2)
  noise = draw.uniform(-RADIUS, RADIUS, IMAGES.shape).astype(np.float32)
  return np.clip(noise, -IMAGES, 1 - IMAGES)


def _compare(mine, theirs, *arrays):
  """Of logits, image by image."""
  for row in zip(*arrays, strict=True):
    np.testing.assert_allclose(jax.jit(mine)(*row), theirs(*row), atol=1e-4)


@pytest.mark.parametrize("threshold", [0.2, 0.0, 1e9])
@pytest.mark.parametrize("steps", [0, 2, 3])
def test_ttc(steps, threshold, classifier, starts):
  options = {"steps": steps, "threshold": threshold, "radius": RADIUS}
  defended = defences.ttc(classifier, **options)
  _compare(defended.started, functools.partial(reference.ttc, **options), IMAGES, starts)


def test_weights_of_ttc_are_the_published_ones():
  found = jax.nn.softmax(2.0 * jnp.arange(3.0))
  np.testing.assert_allclose(found, [0.0159, 0.1173, 0.8668], atol=1e-4)


def test_ttc_gates_by_how_far_noise_moves_the_features(classifier, starts):
  anchors = classifier.features(jnp.asarray(IMAGES))
  moved = classifier.features(jnp.asarray(IMAGES + starts)) - anchors
  shares = np.linalg.norm(moved, axis=1) / np.linalg.norm(anchors, axis=1)
  for image, start, share in zip(IMAGES, starts, shares, strict=True):
    for threshold, stays in ((share * 0.999, True), (share * 1.001, False)):
      defended = defences.ttc(classifier, radius=RADIUS, threshold=float(threshold))
      delta = jax.jit(defended.counterattack)(image, start)
      assert (np.asarray(delta) == start).all() == stays


@pytest.mark.parametrize("threshold", [0.85, 2.0, -2.0])
def test_csr(threshold, classifier):
  options = {"threshold": threshold, "frequency": 60.0}
  defended = defences.csr(classifier, **options)
  theirs = functools.partial(reference.csr, **options)
  _compare(lambda image: defended.one(image, jax.random.key(0)), theirs, IMAGES)


def test_csr_answers_the_best_point_of_its_path(classifier):
  """Far steps overshoot: the image itself, whose score is known, stays the least."""
  image, wild = (
    jnp.asarray(IMAGES[0]),
    defences.csr(classifier, step=1.0, radius=1.0, threshold=2.0),
  )
  moved = image + wild.rectification(image)
  passed = defences.transform(None, kind="gaussian").transformed(image)
  own, low = wild.direction(image), wild.direction(passed)
  assert wild.direction(moved) @ (low - own) >= own @ (low - own) - 1e-6


def test_hedge(classifier, starts):
  defended = defences.hedge(classifier, steps=3)
  one = functools.partial(defended.started, key=jax.random.key(0))
  theirs = functools.partial(reference.hedge, steps=3)
  _compare(lambda image, start: one(image, start=start), theirs, IMAGES, starts)


def test_the_sum_of_all_cross_entropies_is_its_closed_form():
  logits = jnp.asarray(np.random.default_rng(0).normal(size=7), jnp.float32)
  each = -jax.nn.log_softmax(logits)
  np.testing.assert_allclose(all_cross_entropies(logits), each.sum(), rtol=1e-6)


@pytest.mark.parametrize("compat", ["clean", "official"])
def test_anti_adversary(compat, classifier):
  defended = defences.anti_adversary(classifier, compat=compat)
  theirs = functools.partial(reference.anti_adversary, official=compat == "official")
  _compare(lambda image: defended.one(image, jax.random.key(0)), theirs, IMAGES)


@pytest.mark.parametrize(
  "options", [{"step": 0.3}, {"norm": "l2", "radius": 0.4, "step": 0.3, "temperature": 2.0}]
)
def test_et3(options, classifier):
  defended = defences.et3(classifier, **options)
  theirs = functools.partial(reference.et3, **options)
  _compare(lambda image: defended.one(image, jax.random.key(0)), theirs, IMAGES)


def test_what_each_loop_climbs_rises(classifier):
  key, image = jax.random.key(0), jnp.asarray(IMAGES[0])
  et3 = defences.et3(classifier, step=0.05)
  moved = et3.transformed(image, key)
  assert et3.energy(moved, key) < et3.energy(image, key)
  assert np.abs(moved - image).max() <= 5 / 255 + 1e-6
  before = jax.nn.log_softmax(classifier(image[None])[0])
  after = jax.nn.log_softmax(defences.anti_adversary(classifier, step=0.01).one(image, key))
  assert after[before.argmax()] > before.max()


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_clipure_cos(steps, classifier):
  defended = defences.clipure_cos(classifier, jnp.asarray(reference.BLANK), steps=steps)
  theirs = functools.partial(reference.clipure_cos, steps=steps)
  _compare(lambda image: defended.one(image, jax.random.key(0)), theirs, IMAGES)


@pytest.mark.parametrize("robust", [True, False])
def test_prompt_tuning(robust, classifier):
  prompts, shown = defences.Prompts(*reference.prompts()), reference.images(6, seed=9)
  options = {"chosen": 3, "rate": 0.2}
  if robust:
    defended = defences.rtpt(classifier, prompts, views=6, neighbours=2, **options)
  else:
    defended = defences.tpt(classifier, prompts, views=6, **options)
  theirs = reference.rtpt(shown, neighbours=2, robust=robust, **options)
  np.testing.assert_allclose(jax.jit(defended.viewed)(shown), theirs, atol=2e-4)
  untuned = dataclasses.replace(defended, steps=0)
  assert np.abs(jax.jit(untuned.viewed)(shown) - theirs).max() > 1e-2


@pytest.mark.parametrize("threshold", [-1.0, 0.8])
def test_dbd(threshold, classifier):
  """Their mean cosine is between the two thresholds."""
  shown, options = reference.images(6, seed=9), {"chosen": 3, "threshold": threshold}
  found = jax.jit(defences.dbd(classifier, views=6, **options).viewed)(shown)
  np.testing.assert_allclose(found, reference.dbd(shown, **options), atol=2e-4)


def test_views_are_boxes_of_the_image_at_full_size():
  rows, columns = np.meshgrid(np.linspace(0, 1, 8), np.linspace(0, 1, 8), indexing="ij")
  image = np.stack([rows, columns, np.ones_like(rows)], axis=-1).astype(np.float32)
  keys = jax.random.split(jax.random.key(0), 64)
  made = np.asarray(jax.jit(jax.vmap(lambda key: resized_crop(image, key)))(keys))
  assert made.min() >= 0 and made.max() <= 1
  np.testing.assert_allclose(made[..., 2], 1, atol=1e-5)
  down, across = np.diff(made[..., 0], axis=1), np.diff(made[..., 1], axis=2)
  assert (down > -1e-5).all()  # Never upside down,
  mirrored = (across < 1e-5).all(axis=(1, 2))
  assert 16 < mirrored.sum() < 48 and ((across > -1e-5).all(axis=(1, 2)) | mirrored).all()
  heights = np.ptp(made[..., 0], axis=(1, 2))
  assert heights.min() < 0.5 and heights.max() > 0.8


def test_tte(classifier):
  defended = defences.tte(classifier, padding=1, crops=3)
  views = [*defended.views]
  assert views[:2] == [(False, None), (True, None)] and len(set(views)) == 8
  _compare(
    lambda image: defended.one(image, jax.random.key(0)),
    functools.partial(reference.tte, views=views),
    IMAGES,
  )


def test_official_tte_has_one_crop_in_place_of_four(classifier):
  defended = defences.tte(classifier, padding=1, compat="official")
  plain, mirrored, crop, other = defended.views
  assert defended.weights == (1, 1, 4, 4)
  assert crop[1] == other[1] != None  # noqa: E711 -- A corner.
  theirs = functools.partial(reference.tte, views=[plain, mirrored, *[crop] * 4, *[other] * 4])
  _compare(lambda image: defended.one(image, jax.random.key(0)), theirs, IMAGES)


GAINS = {
  "gaussian": lambda distance, radius: (-(distance**2) / (2 * radius**2)).exp(),
  "butterworth": lambda distance, radius: 1 / (1 + (distance / radius) ** 4),
  "ideal": lambda distance, radius: (distance <= radius).double(),
}


@pytest.mark.parametrize("kind", GAINS)
def test_low_passes(kind, classifier):
  filtered = defences.transform(classifier, kind=kind, radius=70.0)  # 2.5 bins of 8 pixels.
  gain = functools.partial(GAINS[kind], radius=2.5)
  _compare(filtered.transformed, functools.partial(reference.lowpass, gain=gain), IMAGES)


def test_blur_is_scipys(classifier):
  blurred = defences.transform(classifier, kind="blur", sigma=0.8)

  def theirs(image):
    # Five taps, as torchvision cuts it, and its mirror.
    return ndimage.gaussian_filter(image, 0.8, mode="mirror", axes=(0, 1), radius=2)

  _compare(blurred.transformed, theirs, IMAGES)
  flat = np.full((8, 8, 3), 0.3, np.float32)
  np.testing.assert_allclose(jax.jit(blurred.transformed)(flat), flat, atol=1e-6)


def test_rounding_keeps_as_many_levels_as_bits(classifier):
  rounded = defences.transform(classifier, kind="bits", bits=2)
  found = np.asarray(jax.jit(rounded.transformed)(IMAGES[0]))
  np.testing.assert_allclose(found, np.round(IMAGES[0] * 3) / 3, atol=1e-6)


@pytest.mark.slow
def test_jpeg_is_the_function_that_was_given(classifier):
  coded = defences.transform(classifier, jpeg.round_trip, kind="jpeg", quality=30)
  pixels = np.round(IMAGES[0] * 255).astype(np.uint8)
  found = np.asarray(jax.jit(coded.transformed)(IMAGES[0])) * 255
  np.testing.assert_allclose(found, jpeg.round_trip(pixels, jnp.int32(30)), atol=1e-3)


@pytest.mark.parametrize(
  "defend",
  [
    functools.partial(defences.anti_adversary, steps=0),
    functools.partial(defences.et3, steps=0),
    functools.partial(defences.csr, steps=0, threshold=2.0),
    functools.partial(defences.hedge, radius=0.0),
    functools.partial(defences.ttc, radius=0.0),
    functools.partial(defences.tte, crops=0, flip=False),
    functools.partial(defences.transform, kind="bits", bits=16),
    functools.partial(defences.clipure_cos, blank=jnp.asarray(reference.BLANK), steps=0),
  ],
)
def test_without_strength_it_is_the_classifier_inside(defend, classifier):
  np.testing.assert_allclose(
    jax.jit(lambda d, x: d(x))(defend(classifier), IMAGES), classifier(IMAGES), atol=2e-3
  )


def test_noise_alone_is_what_ttc_does_without_steps(classifier):
  defended, key = defences.ttc(classifier, steps=0), jax.random.key(1)
  noise = inner.uniform(defended.own(key), jnp.asarray(IMAGES[0]), 4 / 255)
  assert 0 < np.abs(noise).max() <= 4 / 255
  np.testing.assert_allclose(
    defended.one(IMAGES[0], key), classifier((IMAGES[0] + noise)[None])[0], atol=1e-5
  )


def test_deltas_stay_in_ball_and_box():
  image = jnp.asarray(IMAGES[0])
  path = inner.ascend(
    lambda x: jnp.sum(x**2 * 3), image, jnp.zeros_like(image), steps=4, step=0.1, radius=0.25
  )
  sizes = np.abs(path.deltas).max(axis=(1, 2, 3))
  np.testing.assert_allclose(sizes, [0, 0.1, 0.2, 0.25, 0.25], atol=1e-6)
  shown = IMAGES[0] + np.asarray(path.deltas)
  assert shown.min() >= 0 and shown.max() <= 1
  values = np.sum((IMAGES[0] + np.asarray(path.deltas[:-1])) ** 2 * 3, axis=(1, 2, 3))
  np.testing.assert_allclose(path.values, values, rtol=1e-5)


def test_exact_derivatives_through_et3_are_central_differences(classifier):
  defended, key = defences.et3(classifier, norm="l2", radius=0.2, step=0.3), jax.random.key(0)
  image = 0.4 + 0.2 * IMAGES[0]
  value = jax.jit(lambda image: defended.one(image, key)[0])
  slope = np.asarray(jax.grad(lambda image: defended.one(image, key)[0])(image))
  direction = (slope / np.linalg.norm(slope)).astype(np.float32)
  ahead, behind = (value(image + side * 0.01 * direction) for side in (1, -1))
  np.testing.assert_allclose((ahead - behind) / 0.02, np.linalg.norm(slope), rtol=0.02)
  bpda = np.asarray(
    jax.grad(lambda image: defended.replace(backward="bpda").one(image, key)[0])(image)
  )
  assert np.linalg.norm(bpda - slope) > 0.05 * np.linalg.norm(slope)


def test_signs_have_the_slope_of_a_tanh():
  slope = jnp.asarray([-3.0, -1.0, 0.0, 0.5, 2.0])
  value, tangent = jax.jvp(inner.soft_sign, (slope,), (jnp.ones(5),))
  np.testing.assert_array_equal(value, [-1, -1, 0, 1, 1])
  np.testing.assert_allclose(tangent, 1 - np.tanh(np.asarray(slope)) ** 2, atol=1e-6)  # Median 1.
