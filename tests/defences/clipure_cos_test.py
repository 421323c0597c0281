"""What the published loop does to features and to gradients; see `defences/clipure_cos.py`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxbench import defences, models

NEAR = 0.05  # Cosines to the blank text from which on the turns go there and back.


@pytest.fixture(scope="module")
def digits(clip, classifier, scans):
  """A classifier, images and a blank text."""
  blank = models.zero_shot(clip, [""], models.templates("openai_80")).text[:, 0]
  return classifier, scans[0][:64], blank


@pytest.fixture(scope="module")
def random_vit():
  """The same of an untrained ViT, whose blank text is as far away as that of published CLIPs."""
  shape = models.CLIPConfig(
    embed_dim=16,
    preprocess=models.Preprocess(16),
    vision=models.TowerConfig(32, 2, 2, 64, "quick_gelu"),
    patch_size=8,
    text=models.TowerConfig(16, 1, 1, 32, "quick_gelu"),
    vocabulary_size=32,
    context_length=8,
  )
  visual = models.CLIP(shape, rngs=nnx.Rngs(0)).visual
  draw = np.random.default_rng(0)
  images = draw.random((16, 16, 16, 3), np.float32)
  text = jnp.asarray(_unit(draw.normal(size=(7, 16))).T, jnp.float32)
  classifier = models.ZeroShot(visual, text, jnp.float32(100), jnp.float32(0))
  mean = _unit(np.asarray(jax.jit(lambda c, x: c.features(x))(classifier, images))).mean(axis=0)
  aside = draw.normal(size=16)
  aside -= aside @ _unit(mean) * _unit(mean)
  blank = 0.25 * _unit(mean) + np.sqrt(1 - 0.25**2) * _unit(aside)
  return classifier, images, jnp.asarray(blank, jnp.float32)


def _unit(vectors):
  return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@jax.jit
def _slopes(classify, features):
  """Gradients [B, D] of the lead of the first class over the second."""
  return jax.vmap(jax.grad(lambda one: classify(one)[0] - classify(one)[1]))(features)


def _classify(defended):
  def answer(defended, features):
    unit = features / jnp.linalg.norm(features)
    return defended.classified(defended.purified(unit))

  return jax.tree_util.Partial(answer, defended)


def _features(model, dtype):
  """Of those near the blank text, [B, D] float32, and the classifier's own answer to one."""
  classifier, images, blank = model
  classifier = classifier.compute_in(dtype)
  features = np.asarray(jax.jit(lambda c, x: c.features(x))(classifier, images))
  near = _unit(features) @ _unit(np.asarray(blank)) > NEAR
  assert near.sum() >= 12
  inside = jax.tree_util.Partial(lambda c, one: c.classify(one[None])[0], classifier)
  return classifier, features[near], inside


@pytest.mark.usual("digits-*")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["digits", "random_vit"])
def test_ten_steps_are_none_but_for_the_gradient(name, dtype, request):
  model = request.getfixturevalue(name)
  classifier, features, inside = _features(model, dtype)
  published = defences.clipure_cos(classifier, model[2], compat="official")
  purified = jax.vmap(published.purified)(jnp.asarray(_unit(features)))
  np.testing.assert_allclose(purified, _unit(features), atol=1e-4)
  logits = jax.vmap(_classify(published))(features)
  np.testing.assert_allclose(logits, jax.vmap(inside)(features), atol=5e-3)
  undefended = np.asarray(_slopes(inside, features), np.float64)
  constant = np.asarray(_slopes(_classify(published), features), np.float64)
  exact = np.asarray(_slopes(_classify(published.replace(constant=False)), features), np.float64)
  sizes = [np.linalg.norm(slope, axis=1) for slope in (constant, exact, undefended)]
  np.testing.assert_allclose(sizes[0] / sizes[2], 901.0**-5, rtol=0.25)  # 1.7e-15.
  np.testing.assert_allclose(sizes[1] / sizes[2], 1, rtol=0.05)
  # But for what lies in the plane of the turns: one of 16 dimensions, or of 64.
  assert np.sum(_unit(constant) * _unit(undefended), axis=1).min() > 0.85
  # What an encoder in half precision is given to differentiate.
  assert not constant.astype(np.float16).any()
  assert exact.astype(np.float16).any()


@pytest.mark.slow
def test_one_step_turns_by_88_degrees_and_features_far_away_do_not_come_back(digits):
  classifier, _, blank = digits
  blank = _unit(np.asarray(blank))
  aside = _unit(np.eye(len(blank))[0] - blank[0] * blank)
  for degrees, ends in ((60, 60), (100, 100 - 2 * 88.09), (89, 89 - 2 * 88.09)):
    start = np.cos(np.radians(degrees)) * blank + np.sin(np.radians(degrees)) * aside
    turned = {}
    for steps in (1, 10):
      defended = defences.clipure_cos(classifier, jnp.asarray(blank, jnp.float32), steps=steps)
      point = np.asarray(jax.jit(defended.purified)(jnp.asarray(start, jnp.float32)))
      turned[steps] = np.degrees(np.arctan2(point @ aside, point @ blank))
    np.testing.assert_allclose(turned[1], degrees - 88.09, atol=0.05)
    np.testing.assert_allclose(turned[10], ends, atol=0.3)
