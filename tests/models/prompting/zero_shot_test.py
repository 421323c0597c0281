import dataclasses
import importlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

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


@pytest.mark.usual("class_name-*", "openai_7-*")
@pytest.mark.parametrize("name", ["digits-clip", "digits-clip-robust"])
@pytest.mark.parametrize("prompts", [name for name in models.PROMPTS if name != "roz_auto"])
def test_embedded_clips_classify_held_out_scans(name, prompts, scans):
  images, labels = scans
  classifier = models.zero_shot(models.load(name), NAMES, models.templates(prompts))
  accuracy = (np.argmax(jax.jit(lambda c, x: c(x))(classifier, images), axis=1) == labels).mean()
  assert accuracy >= (0.97 if name == "digits-clip" else 0.94)


@pytest.mark.slow
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


@pytest.mark.slow
def test_every_class_may_have_its_own_sentences(clip, scans, tmp_path):
  images, _ = scans
  sentences = {
    name: [f"a photo of a {name}.", f"{name}"][: 1 + i % 2] for i, name in enumerate(NAMES)
  }
  file = tmp_path / "cupl.json"
  file.write_text(json.dumps(sentences))
  found = models.zero_shot(clip, NAMES, models.templates(str(file)))(images[:3])
  for i, name in enumerate(NAMES):
    alone = models.zero_shot(clip, [name], [s.replace(name, "{}") for s in sentences[name]])
    np.testing.assert_allclose(found[:, i], alone(images[:3])[:, 0], atol=1e-4)
  del sentences["three"]
  with pytest.raises(errors.InputError, match="no sentence for class 'three'"):
    models.zero_shot(clip, NAMES, sentences)


def test_templates_come_from_files(tmp_path):
  (tmp_path / "a.txt").write_text("a {}.\n\nthe {}.\n")
  (tmp_path / "b.json").write_text('["a {}.", "the {}."]')
  for name in ("a.txt", "b.json"):
    assert models.templates(str(tmp_path / name)) == ("a {}.", "the {}.")


@pytest.mark.parametrize("content", ["{", "3", "[1]", '{"a": "b"}', "{}", "[]"])
def test_a_file_that_holds_no_prompts_is_refused(tmp_path, content):
  (tmp_path / "a.json").write_text(content)
  with pytest.raises(errors.InputError, match=r"a\.json"):
    models.templates(str(tmp_path / "a.json"))
  with pytest.raises(errors.InputError, match="cannot read"):
    models.templates(str(tmp_path / "missing.json"))


@pytest.mark.slow
@pytest.mark.parametrize("names", [["one", "two", "one"], ["one", "two", " One "]])
def test_classes_that_are_called_the_same_are_reported_and_share_a_logit(
  names, clip, scans, caplog
):
  """By their tokens: capitals and spaces are none."""
  images, _ = scans
  classifier = models.zero_shot(clip, names, ["{}"])
  logits = classifier(images)
  np.testing.assert_array_equal(logits[:, 0], logits[:, 2])
  assert "classes [0, 2] are all called 'one'" in caplog.text
  for one in (
    classifier,
    models.resized(classifier, 32),
    models.compute_in(classifier, "bfloat16"),
  ):
    np.testing.assert_array_equal(one.same_as, [0, 1, 0])
  sentences = {"one": ["a one"], "uno": ["a one"], "two": ["a two"]}
  alike = models.zero_shot(clip, ["uno", "two", "one"], sentences)
  np.testing.assert_array_equal(alike.same_as, [0, 1, 0])
  assert models.zero_shot(clip, ["one", "two"], ["{}"]).same_as is None


def test_the_imagenet_names_have_their_two_known_repetitions():
  names = models.imagenet_class_names()
  assert len(names) == 1000
  found = {name for name in names if names.count(name) > 1}
  assert found == {"missile", "sunglasses"}


def test_many_sentences_are_embedded_in_batches(clip):
  words = ["zero", "one", "two", "three"] * 100  # More than one batch, and not a multiple.
  text = models.zero_shot(clip, words, ["a photo of a {}."]).text
  np.testing.assert_allclose(text[:, :4], text[:, 396:], atol=1e-6)


@pytest.mark.slow
def test_images_of_other_sizes_are_resized_inside(clip, scans):
  images, _ = scans
  small = jax.image.resize(images[:4], (4, 20, 20, 3), "cubic").clip(0, 1)
  plain = models.zero_shot(clip, NAMES, ["{}"])
  resizing = models.zero_shot(clip, NAMES, ["{}"], resize=True)
  np.testing.assert_array_equal(resizing(images[:4]), plain(images[:4]))
  enlarged = jax.image.resize(small, (4, 32, 32, 3), "cubic").clip(0, 1)
  np.testing.assert_allclose(resizing(small), plain(enlarged), atol=1e-4)
  gradient = jax.grad(lambda x: resizing(x)[:, 0].sum())(small)
  assert gradient.shape == small.shape
  assert float(abs(gradient).max()) > 0


def test_a_program_is_the_same_each_time_it_is_traced(classifier):
  """Or no other process would find it compiled."""
  like = jax.ShapeDtypeStruct((2, 32, 32, 3), np.float32)
  once, again = (jax.jit(lambda images: classifier(images)).lower(like).as_text() for _ in range(2))
  assert once == again


def test_checked_mode_refuses_images_outside_the_unit_interval(classifier, scans):
  images, _ = scans
  checked = models.checked(classifier)
  np.testing.assert_allclose(checked(images[:2]), classifier(images[:2]), atol=1e-4)
  for wrong in (images[:2] * 255, (images[:2] - 0.5) / 0.5):
    with pytest.raises(errors.InputError, match=r"must be in \[0, 1\]"):
      checked(wrong)
    assert jax.jit(classifier.__call__)(wrong).shape == (2, 10)  # Unchecked mode pays nothing.


@pytest.mark.slow
def test_bfloat16_computes_in_half_and_answers_in_float32(classifier, scans):
  images, _ = scans
  half = models.compute_in(classifier, "bfloat16")
  logits = half(images[:20])
  assert logits.dtype == np.float32
  assert "bf16" in jax.jit(lambda c, x: c(x)).lower(half, images[:1]).as_text()
  assert "bf16" not in jax.jit(lambda c, x: c(x)).lower(classifier, images[:1]).as_text()
  np.testing.assert_allclose(logits, classifier(images[:20]), atol=1.0)
  resnet = models.compute_in(models.load("digits-resnet"), "bfloat16")
  assert resnet(images[:1]).dtype == np.float32


def _tiny_clip():
  towers = {part: models.TowerConfig(16, 2, 2, 32, "gelu") for part in ("vision", "text")}
  config = dataclasses.replace(models.ARCHITECTURES["ViT-B-32"], **towers)
  return models.CLIP(config, rngs=nnx.Rngs(0))


@pytest.mark.slow
def test_prompts_of_all_lengths_are_embedded_as_each_alone():
  clip, names = _tiny_clip(), models.imagenet_class_names()[::20]
  templates = models.templates("openai_80")[::4]
  found = models.zero_shot(clip, names, templates).text.T
  tokens = models.tokenize([template.format(name) for name in names for template in templates])
  each = np.asarray(jax.jit(lambda clip, x: clip.encode_text(x))(clip, tokens))
  each = each / np.linalg.norm(each, axis=1, keepdims=True)
  expected = each.reshape(len(names), len(templates), -1).mean(axis=1)
  expected /= np.linalg.norm(expected, axis=1, keepdims=True)
  np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.slow
def test_few_positions_behind_the_ends_of_prompts_are_read(monkeypatch):
  module, read = importlib.import_module("jaxbench.models.prompting.zero_shot"), []

  def embed(clip, tokens):
    read.append(tokens.shape)
    return jnp.ones((len(tokens), 2))

  monkeypatch.setattr(module, "_embed", embed)
  models.zero_shot(_tiny_clip(), models.imagenet_class_names(), models.templates("openai_80"))
  longest = max(length for _, length in read)
  assert sum(rows * length for rows, length in read) <= 0.6 * 80_000 * longest
  assert len({length for _, length in read}) <= 5  # Each is another program.


@pytest.mark.parametrize("templates", [["{}"], {}, models.TokenPrompts(((320,),))])
def test_no_classes_are_no_classifier(templates):
  with pytest.raises(errors.InputError, match="at least one class name"):
    models.zero_shot(_tiny_clip(), [], templates)
