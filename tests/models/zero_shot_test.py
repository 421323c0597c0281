import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import data, errors, models

NAMES = data.load("digits").class_names


def test_ensemble_is_the_normalized_mean_of_normalized_prompts(clip, scans):
  images, _ = scans
  templates = ["a photo of a {}.", "a drawing of a {}.", "{}"]
  logits = models.zero_shot(clip, NAMES, templates)(images[:5])
  expected = []
  for name in NAMES:
    each = [np.asarray(clip.encode_text(models.tokenize([t.format(name)])))[0] for t in templates]
    mean = np.mean([e / np.linalg.norm(e) for e in each], axis=0)
    expected.append(mean / np.linalg.norm(mean))
  features = np.array(clip.encode_image(images[:5]))
  features /= np.linalg.norm(features, axis=1, keepdims=True)
  scale = float(clip.logit_scale)
  np.testing.assert_allclose(logits, scale * features @ np.stack(expected).T, atol=1e-4)


def test_classifier_is_a_pytree_whose_weights_are_inputs_of_the_program(classifier):
  text = jax.jit(lambda c, x: c(x)).lower(classifier, jnp.zeros((1, 32, 32, 3))).as_text()
  assert len(text) < 200_000  # The weights alone would be megabytes.


@pytest.mark.parametrize("name", ["digits-clip", "digits-clip-robust"])
@pytest.mark.parametrize("prompts", list(models.PROMPTS))
def test_embedded_clips_classify_held_out_scans(name, prompts, scans):
  images, labels = scans
  classifier = models.zero_shot(models.load(name), NAMES, models.templates(prompts))
  accuracy = (np.argmax(jax.jit(lambda c, x: c(x))(classifier, images), axis=1) == labels).mean()
  assert accuracy >= (0.97 if name == "digits-clip" else 0.94)


def test_embedded_resnet_classifies_held_out_scans(scans):
  images, labels = scans
  assert (np.argmax(models.load("digits-resnet")(images), axis=1) == labels).mean() >= 0.97


def test_a_word_outside_a_cut_vocabulary_is_an_error_that_names_the_text(clip):
  with pytest.raises(errors.InputError, match=r"'a photo of a giraffe\.'"):
    models.zero_shot(clip, ["one", "giraffe"], ["a photo of a {}."])


def test_a_template_without_a_place_for_the_name_is_an_error(clip):
  with pytest.raises(errors.InputError, match="needs exactly one"):
    models.zero_shot(clip, ["one"], ["a photo"])


def test_an_unknown_prompt_set_is_an_error_with_the_nearest_match():
  with pytest.raises(errors.InputError, match="Did you mean 'openai_80'"):
    models.templates("openai80")
