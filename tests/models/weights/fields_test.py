"""Every field of a configuration is read, known to be irrelevant, or refused by name.

The folders are written by transformers, open_clip and timm; each is changed in one field.
"""

import dataclasses
import functools
import itertools
import json

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from references import checkpoints, families, parity
from references.writers import open_clip, timm

from jaxbench import errors, models

CONFIGS = {
  "clip": (checkpoints.clip, hf.CLIPImageProcessorPil(size=36, crop_size=32)),
  **{name: (row.build, row.image_processor) for name, row in families.CLASSIFIERS.items()},
}
VISION = {"image_size": 32, "layers": 2, "width": 48, "patch_size": 8, "head_width": 16}
TEXT = {"width": 32, "heads": 4, "layers": 2}


def edit(file, change):
  """Applies `change` to the JSON object in `file`."""
  content = json.loads(file.read_text())
  change(content)
  file.write_text(json.dumps(content))


def assert_refused(folder, message):
  with pytest.raises(errors.InputError, match=message) as caught:
    models.load(str(folder))
  assert "\n" not in str(caught.value)
  assert str(folder) in str(caught.value)


def assert_same(found, expected):
  assert np.abs(np.asarray(found) - expected).max() <= 1e-5 * np.ptp(expected)


def write_huggingface(folder, kind):
  build, processor = CONFIGS[kind]
  reference = build()
  reference.save_pretrained(folder)
  processor.save_pretrained(folder)
  return reference, processor


def write_open_clip(folder, quick_gelu=False, model=(), vision=(), text=(), images=()):
  """As open_clip's `save_for_hf` does, whose own configurations all have names."""
  torch.manual_seed(0)
  reference = open_clip.CLIP(24, VISION, TEXT, quick_gelu=quick_gelu)
  parity.randomize(reference)
  checkpoints.write_safetensors(reference.state_dict(), folder / "open_clip_model.safetensors")
  sizes = {"vision_cfg": {**VISION, **dict(vision)}, "text_cfg": {**TEXT, **dict(text)}}
  whole = {"embed_dim": 24, "quick_gelu": quick_gelu, **sizes, **dict(model)}
  config = {"model_cfg": whole, "preprocess_cfg": dict(images)}
  (folder / "open_clip_config.json").write_text(json.dumps(config))
  return reference


def write_timm(folder, name="vit_base_patch16_224", **arguments):
  torch.manual_seed(0)
  reference = parity.randomize(timm.create_model(name, **arguments))
  timm.models.save_for_hf(reference, folder, safe_serialization=True)
  return reference


SMALL_VIT = {"depth": 1, "embed_dim": 48, "num_heads": 3, "patch_size": 16, "num_classes": 5}


@pytest.mark.usual("clip", "swinv2")
@pytest.mark.parametrize("kind", CONFIGS)
def test_what_transformers_writes_computes_what_it_computes(tmp_path, kind):
  reference, processor = write_huggingface(tmp_path, kind)
  model = models.load(str(tmp_path))
  picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8))
  with torch.no_grad():
    pixels = processor(picture, return_tensors="pt")["pixel_values"]
    if kind == "clip":
      expected = reference.get_image_features(pixels).pooler_output.numpy()
    else:
      expected = reference(pixels).logits.numpy()
  image = np.float32(model.preprocess(picture)[None]) / 255
  assert_same(model.encode_image(image) if kind == "clip" else model(image), expected)


@pytest.mark.parametrize(
  ("kind", "file", "change", "message"),
  [
    *(
      (kind, "config.json", {"surprise": 1}, "config.json: 'surprise' is set to 1: it is not known")
      for kind in CONFIGS
    ),
    ("clip", "preprocessor_config.json", {"surprise": 1}, "'surprise' is set to 1"),
    ("clip", "preprocessor_config.json", {"do_resize": False}, "do_resize is false"),
    ("clip", "preprocessor_config.json", {"do_rescale": False}, "do_rescale is false"),
    ("clip", "preprocessor_config.json", {"size": [32, 40]}, "not a whole number above 0"),
    ("clip", "preprocessor_config.json", {"size": {"shortest_edge": 32, "longest_edge": 40}},
     "size: 'longest_edge' is set to 40"),
    ("clip", "preprocessor_config.json", {"crop_size": {"height": 32, "width": 40}},
     "crop_size .* is not a square"),
    ("clip", "preprocessor_config.json", {"image_mean": [0.5]}, "not three numbers"),
    ("clip", "preprocessor_config.json", {"image_std": [0.5, 0, 0.5]}, "cannot be divided"),
    ("clip", "preprocessor_config.json", {"image_processor_type": "BlipImageProcessor"},
     "image processor 'BlipImageProcessor' is not supported"),
    ("vit", "preprocessor_config.json", {"size": {"height": 224, "width": 336}}, "not a square"),
    ("vit", "config.json", {"hidden_act": "relu"}, "hidden_act 'relu' is not supported"),
    ("vit", "config.json", {"qkv_bias": False}, "'qkv_bias' is set to False: not supported"),
    ("vit", "config.json", {"id2label": {}}, "lacks 'num_labels'"),
    ("vit", "config.json", {"id2label": []}, "'id2label' is .* not an object"),
    ("vit", "config.json", {"num_attention_heads": 5}, "no multiple of num_attention_heads 5"),
    ("vit", "config.json", {"num_hidden_layers": 0}, "not a whole number above 0"),
    ("vit", "config.json", {"patch_size": [8, 16]}, "patch_size .* is not a square"),
    ("vit", "config.json", {"layer_norm_eps": "small"}, "not a number"),
    ("vit", "config.json", {"num_channels": 1}, "'num_channels' is set to 1"),
    ("resnet", "config.json", {"layer_type": "other"}, "layer_type 'other' is not supported"),
    ("resnet", "config.json", {"depths": [1]}, "depths has 1 stages, hidden_sizes has 2"),
    ("resnet", "config.json", {"depths": []}, "not a list of whole numbers"),
    ("resnet", "preprocessor_config.json", {"do_center_crop": True, "crop_size": 32},
     "crops a second time"),
    ("convnext", "config.json", {"patch_size": 2}, "'patch_size' is set to 2"),
    ("convnext", "preprocessor_config.json", {"crop_pct": 0}, "not between 0 and 1"),
    ("efficientnet", "config.json", {"pooling_type": "max"}, "'pooling_type' is set to 'max'"),
    ("efficientnet", "config.json", {"hidden_act": "relu"}, "'hidden_act' is set to 'relu'"),
    ("efficientnet", "config.json", {"strides": [1]}, "are not equally long"),
    ("efficientnet", "config.json", {"depthwise_padding": [1, 3]}, "does not fit images of 32"),
    ("efficientnet", "config.json", {"squeeze_expansion_ratio": 0.5}, "supported is 0.25"),
    ("efficientnet", "preprocessor_config.json", {"rescale_offset": True},
     "'rescale_offset' is set to True: not supported"),
  ],
)  # fmt: skip
def test_a_field_of_transformers_is_never_passed_over(tmp_path, kind, file, change, message):
  write_huggingface(tmp_path, kind)
  edit(tmp_path / file, lambda content: content.update(change))
  assert_refused(tmp_path, message)


@pytest.mark.parametrize("part", ["text_config", "vision_config"])
@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"surprise": True}, "_config: 'surprise' is set to True"),
    ({"hidden_act": "gelu_fast"}, "hidden_act 'gelu_fast' is not supported"),
    ({"hidden_size": 35}, "hidden_size 35 is no multiple"),
  ],
)
def test_nor_one_of_the_towers(tmp_path, part, change, message):
  write_huggingface(tmp_path, "clip")
  edit(tmp_path / "config.json", lambda content: content[part].update(change))
  assert_refused(tmp_path, message)


def test_the_end_of_a_text_is_where_transformers_takes_it(tmp_path):
  write_huggingface(tmp_path, "clip")
  edit(tmp_path / "config.json", lambda content: content["text_config"].update(eos_token_id=7))
  assert_refused(tmp_path, "'eos_token_id' is set to 7")


def test_a_processor_does_what_its_class_does_whatever_the_model(tmp_path):
  reference, _ = write_huggingface(tmp_path, "vit")
  processor = hf.CLIPImageProcessorPil(size=36, crop_size=32)
  processor.save_pretrained(tmp_path)
  model = models.load(str(tmp_path))
  assert model.preprocess == models.Preprocess(32, 36, margin="floor")
  picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8))
  with torch.no_grad():
    expected = reference(**processor(picture, return_tensors="pt")).logits.numpy()
  assert_same(model(np.float32(model.preprocess(picture)[None]) / 255), expected)


@pytest.mark.slow
@pytest.mark.parametrize("spelled_out", [False, True])
@pytest.mark.parametrize("quick_gelu", [False, True])
def test_open_clip_with_its_defaults_spelled_out(tmp_path, quick_gelu, spelled_out):
  vision, text, images = {}, {}, {}
  if spelled_out:
    vision = dataclasses.asdict(open_clip.CLIPVisionCfg()) | VISION
    text = dataclasses.asdict(open_clip.CLIPTextCfg()) | TEXT
    images = dataclasses.asdict(open_clip.transform.PreprocessCfg(size=32))
  more = {"vision": vision, "text": text, "images": images}
  reference = write_open_clip(tmp_path, quick_gelu, **more)
  clip = models.load(str(tmp_path))
  pixels = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
  mean, std = np.float32(clip.config.mean), np.float32(clip.config.std)
  tokens = models.tokenize(["a photo of a cat", "two dogs"])
  with torch.no_grad():
    standardized = torch.tensor((pixels - mean) / std).permute(0, 3, 1, 2)
    assert_same(clip.encode_image(pixels), reference.encode_image(standardized).numpy())
    assert_same(clip.encode_text(tokens), reference.encode_text(torch.tensor(tokens)).numpy())


@pytest.mark.parametrize(
  ("part", "change", "message"),
  [
    ("model", {"surprise": 1}, "model_cfg: 'surprise' is set to 1"),
    ("model", {"custom_text": 1}, "custom_text is 1, not true or false"),
    ("model", {"init_logit_bias": -10}, "'init_logit_bias' is set to -10"),
    ("model", {"embed_dim": 0}, "embed_dim is 0, not a whole number above 0"),
    ("vision", {"surprise": 1}, "model_cfg: vision_cfg: 'surprise' is set to 1"),
    ("vision", {"pool_type": "max"}, "pool_type 'max' is not supported; supported are tok, avg"),
    (
      "vision",
      {"timm_model_name": "x"},
      "timm_model_name 'x': it is not built here; with torch and",
    ),
    ("vision", {"ls_init_value": "x"}, "ls_init_value is 'x', not a number"),
    ("vision", {"qk_norm": True}, "'qk_norm' is set to True: not supported; supported is False"),
    ("vision", {"patch_size": [8, 4]}, "patch_size .* is not a square"),
    ("vision", {"image_size": [32, 40]}, "image_size .* is not a square"),
    ("vision", {"head_width": 64}, "no multiple of the number of heads"),
    ("text", {"surprise": 1}, "text_cfg: 'surprise' is set to 1"),
    ("text", {"pool_type": "mean"}, "pool_type 'mean' is not supported"),
    ("text", {"no_causal_mask": 1}, "no_causal_mask is 1, not true or false"),
    ("text", {"layers": "two"}, "not a whole number"),
    ("images", {"size": [224, 336]}, r"size \[224, 336\] is not a square"),
    ("images", {"size": 224}, "size is 224 pixels, image_size of the model is 32"),
    ("images", {"mean": [0.5]}, r"mean is \[0.5\], not three numbers"),
    ("images", {"resize_mode": "longest"}, "resize_mode 'longest' is not supported"),
    ("images", {"interpolation": "random"}, "interpolation 'random' is not supported"),
    ("images", {"surprise": 1}, "preprocess_cfg: 'surprise' is set to 1"),
  ],
)
def test_a_field_of_open_clip_is_never_passed_over(tmp_path, part, change, message):
  write_open_clip(tmp_path, **{part: change})
  assert_refused(tmp_path, message)


def test_square_sizes_may_be_pairs(tmp_path):
  sides = {"image_size": [32, 32], "patch_size": [8, 8]}
  write_open_clip(tmp_path, vision=sides, images={"size": [32, 32]})
  config = models.load(str(tmp_path)).config
  assert (config.preprocess.size, config.patch_size) == (32, 8)


@pytest.mark.slow
@pytest.mark.parametrize(
  ("name", "arguments", "size"),
  [
    ("vit_base_patch16_224", SMALL_VIT, 224),
    ("resnet18", {"num_classes": 5}, 288),
    ("tf_efficientnet_b0", {"num_classes": 5}, 224),
    ("tf_efficientnet_lite2", {"num_classes": 5}, 260),
  ],
)
def test_what_timm_writes_computes_what_it_computes(tmp_path, name, arguments, size):
  reference = write_timm(tmp_path, name, **arguments)
  model = models.load(str(tmp_path))
  assert model.preprocess.size == size
  pixels = np.random.default_rng(0).random((1, size, size, 3), np.float32)
  images = reference.pretrained_cfg
  standardized = (pixels - np.float32(images["mean"])) / np.float32(images["std"])
  with torch.no_grad():
    expected = reference(torch.tensor(standardized).permute(0, 3, 1, 2)).numpy()
  assert_same(model(pixels), expected)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"surprise": 1}, "config.json: 'surprise' is set to 1"),
    ({"num_classes": 0}, "num_classes is 0, not a whole number above 0"),
    ({"num_classes": 7}, "num_classes contradicts model_args"),
    ({"global_pool": "avg"}, "global_pool is 'avg', and what is built of model_args has 'token'"),
    ({"architecture": ["vit"]}, "architecture .* is not built here"),
    ({"model_args": {"surprise": 1}}, "model_args: 'surprise' is set to 1"),
    ({"model_args": {"global_pool": "avg"}}, "global_pool is 'token', and what is built .* 'avg'"),
    ({"model_args": {"global_pool": "max"}}, "global_pool 'max' is not supported"),
    ({"model_args": {"img_size": 384}}, "img_size contradicts pretrained_cfg"),
    ({"model_args": {"patch_size": [16, 8]}}, "patch_size .* is not a square"),
    ({"model_args": {"num_heads": 5}}, "no multiple of num_heads 5"),
  ],
)
def test_a_field_of_timm_is_never_passed_over(tmp_path, change, message):
  write_timm(tmp_path, **SMALL_VIT)
  edit(tmp_path / "config.json", lambda content: content.update(change))
  assert_refused(tmp_path, message)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"surprise": 1}, "pretrained_cfg: 'surprise' is set to 1"),
    ({"mean": [0.5]}, r"mean is \[0.5\], not three numbers"),
    ({"input_size": [3, 224, 336]}, r"input_size \[224, 336\] is not a square"),
    ({"input_size": [1, 224, 224]}, "not .3, height, width"),
    ({"crop_pct": 0}, "not between 0 and 1"),
    ({"crop_mode": "border"}, "crop_mode 'border' is not supported"),
    ({"label_offset": 1}, "'label_offset' is set to 1"),
  ],
)
def test_nor_one_of_its_images(tmp_path, change, message):
  write_timm(tmp_path, **SMALL_VIT)
  edit(tmp_path / "config.json", lambda content: content["pretrained_cfg"].update(change))
  assert_refused(tmp_path, message)


def objects(content, place=()):
  """Places of all objects in a JSON object."""
  yield place
  for key, value in content.items():
    if isinstance(value, dict):
      yield from objects(value, (*place, key))


WRONG = (0, -1, 1.5, 3, True, "x", [], [1], [2, 3, 4], {}, {"height": 3, "width": 4})


def write(folder, kind):
  """A folder of this kind, in which all fields are spelled out."""
  if kind == "open_clip":
    vision, text = (open_clip.CLIPVisionCfg(), open_clip.CLIPTextCfg())
    vision, text = dataclasses.asdict(vision) | VISION, dataclasses.asdict(text) | TEXT
    images = dataclasses.asdict(open_clip.transform.PreprocessCfg(size=32))
    write_open_clip(folder, vision=vision, text=text, images=images)
  elif kind == "timm":
    write_timm(folder, **SMALL_VIT)
  elif kind == "siglip":
    checkpoints.write_tokenizer(folder)
    checkpoints.siglip().save_pretrained(folder)
    hf.SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
  elif kind == "naflex":
    checkpoints.write_tokenizer(folder)
    checkpoints.naflex().save_pretrained(folder)
    hf.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16).save_pretrained(folder)
  else:
    write_huggingface(folder, kind)


KINDS = (*CONFIGS, "siglip", "naflex", "open_clip", "timm")


def changes(folder, values):
  """Writes each of `values` into each field of each object, and says which place it is."""
  for file in folder.glob("*config.json"):
    whole = json.loads(file.read_text())
    for place in objects(whole):
      for key, value in values(functools.reduce(lambda one, name: one[name], place, whole)):
        changed = json.loads(json.dumps(whole))
        functools.reduce(lambda one, name: one[name], place, changed)[key] = value
        file.write_text(json.dumps(changed))
        yield (file.name, *place)
    file.write_text(json.dumps(whole))


@pytest.mark.usual("clip", "swin", "timm")
@pytest.mark.parametrize("kind", KINDS)
def test_no_value_of_any_field_ends_in_a_traceback(tmp_path, kind):
  """It is refused in one line, or read as what the file says."""
  write(tmp_path, kind)
  models.describe(str(tmp_path))  # As it stands, all is well.
  refused = 0
  for _ in changes(tmp_path, lambda fields: itertools.product(fields, WRONG)):
    try:
      models.describe(str(tmp_path))
    except errors.InputError as error:
      assert "\n" not in str(error)
      refused += 1
  assert refused > 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_nobody_knows_is_refused_wherever_it_is(tmp_path, kind):
  write(tmp_path, kind)
  unread = {"id2label", "label2id", "tokenizer_config.json"}
  unread |= {"crop_size"} if kind == "efficientnet" else set()  # It crops nothing.
  for place in changes(tmp_path, lambda fields: [("surprise", "!")]):
    if unread.isdisjoint(place):
      with pytest.raises(errors.InputError, match=r"'surprise'|is not a square"):
        models.describe(str(tmp_path))
