"""Every family that transformers writes, read back and compared with torch."""

import json

import jax
import numpy as np
import pytest
import torch
import transformers as hf
from references import checkpoints, families, parity

from jaxbench import errors, models

TOKENS = models.tokenize(["a photo of a cat", "two dogs", "!", "word " * 100])


def _encode_text(reference, tokens):
  with torch.no_grad():
    features = reference.get_text_features(torch.tensor(tokens, dtype=torch.long))
  return (features if isinstance(features, torch.Tensor) else features.pooler_output).numpy()


def _encode_image(reference):
  def encode(pixels):
    features = reference.get_image_features(pixels)
    return features if isinstance(features, torch.Tensor) else features.pooler_output

  return encode


def _close(found, expected):
  np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected), rtol=0)


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_clip(tmp_path, activation):
  reference = checkpoints.clip(activation)
  folder = checkpoints.write_huggingface(reference, tmp_path, checkpoints.CLIP_PROCESSOR)
  clip = models.load(folder)
  assert clip.config.vision.activation == activation
  parity.assert_same(clip.visual, _encode_image(reference), clip.config)
  _close(clip.encode_text(TOKENS), _encode_text(reference, TOKENS))
  assert float(clip.logit_scale) == pytest.approx(reference.logit_scale.exp().item())


def test_siglip(tmp_path):
  reference = checkpoints.siglip()
  tokenizer = checkpoints.write_tokenizer(tmp_path)
  folder = checkpoints.write_huggingface(reference, tmp_path, checkpoints.SQUASH_PROCESSOR)
  siglip = models.load(folder)
  texts = ["a photo of a cat", "A DOG", "", "abc " * 40]
  tokens = siglip.tokenize(texts)
  tokenizer.enable_truncation(16)
  tokenizer.enable_padding(length=16, pad_id=1, pad_token="</s>")
  assert tokens.tolist() == [e.ids for e in tokenizer.encode_batch(texts)]
  assert tokens[3, -1] == 1  # The end token is kept.
  parity.assert_same(siglip.visual, _encode_image(reference), siglip.config)
  _close(siglip.encode_text(tokens), _encode_text(reference, tokens))
  images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
  mean, std = (np.float32(x) for x in (siglip.config.mean, siglip.config.std))
  with torch.no_grad():
    expected = reference(
      input_ids=torch.tensor(tokens[:2], dtype=torch.long),
      pixel_values=torch.tensor((images - mean) / std).permute(0, 3, 1, 2),
    ).logits_per_image.numpy()
  classifier = models.zero_shot(siglip, ["cat", "x"], {"cat": [texts[0]], "x": [texts[1]]})
  _close(classifier(images), expected)


@pytest.mark.usual("vit", "resnet", "swin")
@pytest.mark.parametrize("name", families.CLASSIFIERS)
def test_classifiers(tmp_path, name):
  written = families.CLASSIFIERS[name]
  reference = written.build()
  model = models.load(checkpoints.write_huggingface(reference, tmp_path, written.processor))
  parity.assert_same(model, lambda pixels: reference(pixels).logits, model.config)


def test_a_distilled_network_with_one_classifier_is_refused(tmp_path):
  network = hf.DeiTForImageClassification(hf.DeiTConfig(**checkpoints.VISION, num_labels=5))
  folder = checkpoints.write_huggingface(network, tmp_path, checkpoints.SQUASH_PROCESSOR)
  with pytest.raises(errors.InputError, match=r"\['DeiTForImageClassification'\] are not"):
    models.load(folder)


@pytest.mark.slow
def test_full_vit_b_32(tmp_path):
  reference = parity.randomize(hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig()))
  whole = hf.CLIPModel(hf.CLIPConfig())
  whole.vision_model, whole.visual_projection = reference.vision_model, reference.visual_projection
  processor = {**checkpoints.CLIP_PROCESSOR, "size": 224, "crop_size": 224}
  clip = models.load(checkpoints.write_huggingface(whole, tmp_path, processor))
  parity.assert_same(clip.visual, lambda pixels: reference(pixels).image_embeds, clip.config)


def test_shards_are_read_as_one(tmp_path):
  reference = checkpoints.clip()
  whole = checkpoints.write_huggingface(reference, tmp_path / "a", checkpoints.CLIP_PROCESSOR)
  sharded = checkpoints.write_huggingface(
    reference, tmp_path / "b", checkpoints.CLIP_PROCESSOR, max_shard_size="200KB"
  )
  assert (tmp_path / "b" / "model.safetensors.index.json").exists()
  leaves = zip(
    jax.tree.leaves(models.load(whole)), jax.tree.leaves(models.load(sharded)), strict=True
  )
  assert all(np.array_equal(one, two) for one, two in leaves)


@pytest.mark.usual("48")
@pytest.mark.parametrize("size", [16, 48])
def test_other_sizes_interpolate_positions_as_transformers_does(tmp_path, size):
  reference = checkpoints.clip()
  folder = checkpoints.write_huggingface(reference, tmp_path, checkpoints.CLIP_PROCESSOR)
  clip = models.load(folder, image_size=size)
  assert clip.preprocess.size == size

  def resized(pixels):
    outputs = reference.vision_model(pixels, interpolate_pos_encoding=True)
    return reference.visual_projection(outputs.pooler_output)

  parity.assert_same(clip.visual, resized, clip.config)


def test_half_precision_is_kept_and_computed_in_float32(tmp_path):
  reference = checkpoints.clip().to(torch.bfloat16)
  folder = checkpoints.write_huggingface(reference, tmp_path, checkpoints.CLIP_PROCESSOR)
  clip = models.load(folder)
  assert {str(x.dtype) for x in jax.tree.leaves(clip)} == {"bfloat16"}
  widened = reference.to(torch.float32)
  parity.assert_same(clip.visual, _encode_image(widened), clip.config)
  _close(clip.encode_text(TOKENS), _encode_text(widened, TOKENS))


def _edit(folder, name, change):
  file = folder / name
  content = json.loads(file.read_text())
  change(content)
  file.write_text(json.dumps(content))


@pytest.mark.parametrize(
  ("file", "change", "message"),
  [
    ("config.json", lambda c: c.update(model_type="bert"), "'bert' is not built .*from_torch"),
    ("config.json", lambda c: c.pop("model_type"), "neither"),
    (
      "config.json",
      lambda c: c["vision_config"].update(hidden_act="relu"),
      "hidden_act 'relu' is not supported",
    ),
    (
      "config.json",
      lambda c: c["vision_config"].update(intermediate_size=64),
      "contradicts the configuration",
    ),
    ("config.json", lambda c: c["vision_config"].update(image_size=64), "contradicts image_size"),
    ("config.json", lambda c: c["text_config"].update(vocab_size=100), "only CLIP's own"),
    ("config.json", lambda c: c["text_config"].update(num_hidden_layers=3), "lacks text_model"),
    ("config.json", lambda c: c["text_config"].update(num_hidden_layers=1), "no place for"),
    ("preprocessor_config.json", lambda c: c.pop("image_mean"), "lacks 'image_mean'"),
    ("preprocessor_config.json", lambda c: c.update(resample=9), "resample 9 is not supported"),
    ("preprocessor_config.json", lambda c: c.update(rescale_factor=1.0), "not 1/255"),
    ("preprocessor_config.json", lambda c: c.update(do_center_crop=False), "crops nothing"),
  ],
)
def test_a_contradiction_is_one_line_that_names_it(tmp_path, file, change, message):
  folder = checkpoints.write_huggingface(checkpoints.clip(), tmp_path, checkpoints.CLIP_PROCESSOR)
  _edit(tmp_path, file, change)
  with pytest.raises(errors.InputError, match=message) as caught:
    models.load(folder)
  assert str(tmp_path) in str(caught.value)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["preprocessor_config.json", "config.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, file):
  folder = checkpoints.write_huggingface(checkpoints.clip(), tmp_path, checkpoints.CLIP_PROCESSOR)
  (tmp_path / file).unlink()
  with pytest.raises(errors.InputError, match=r"preprocessor_config|no checkpoint|no weights"):
    models.load(folder)
