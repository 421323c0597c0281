"""open_clip's folders and OpenAI's names, against torch modules written here."""

import json

import pytest
import torch
from references import checkpoints, networks, parity

from jaxbench import errors, models

CONFIG = {
  "model_cfg": {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {
      "image_size": 32,
      "layers": 2,
      "width": 48,
      "patch_size": 8,
      "head_width": 16,
      "mlp_ratio": 160 / 48,
    },
    "text_cfg": {
      "context_length": 77,
      "vocab_size": 49408,
      "width": 32,
      "heads": 4,
      "layers": 2,
      "mlp_ratio": 3,
    },
  },
  "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "interpolation": "bicubic"},
}


def openai_names(clip):
  """The tensors of transformers' CLIPModel as OpenAI and open_clip name and lay them."""
  state, named = clip.state_dict(), {}
  for prefix, root in (("vision_model", "visual."), ("text_model", "")):
    layers = {name.split(".")[3] for name in state if name.startswith(f"{prefix}.encoder.layers")}
    for i in layers:
      old, new = f"{prefix}.encoder.layers.{i}.", f"{root}transformer.resblocks.{i}."
      for end in ("weight", "bias"):
        parts = [state[f"{old}self_attn.{part}_proj.{end}"] for part in "qkv"]
        named[f"{new}attn.in_proj_{end}"] = torch.cat(parts)
        for one, two in (
          ("self_attn.out_proj", "attn.out_proj"),
          ("layer_norm1", "ln_1"),
          ("layer_norm2", "ln_2"),
          ("mlp.fc1", "mlp.c_fc"),
          ("mlp.fc2", "mlp.c_proj"),
        ):
          named[f"{new}{two}.{end}"] = state[f"{old}{one}.{end}"]
  for one, two in (
    ("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"),
    ("vision_model.pre_layrnorm.bias", "visual.ln_pre.bias"),
    ("vision_model.post_layernorm.weight", "visual.ln_post.weight"),
    ("vision_model.post_layernorm.bias", "visual.ln_post.bias"),
    ("text_model.embeddings.token_embedding.weight", "token_embedding.weight"),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.final_layer_norm.weight", "ln_final.weight"),
    ("text_model.final_layer_norm.bias", "ln_final.bias"),
    ("logit_scale", "logit_scale"),
  ):
    named[two] = state[one]
  named["visual.proj"] = state["visual_projection.weight"].T
  named["text_projection"] = state["text_projection.weight"].T
  return named


def write(folder, tensors, config):
  checkpoints.write_safetensors(tensors, folder / "open_clip_model.safetensors")
  (folder / "open_clip_config.json").write_text(json.dumps(config))
  return str(folder)


def resnet(depths=(1, 1, 2, 1), width=16, size=64, embed_dim=24):
  """An image tower of torch, and the configuration and tensors of the CLIP around it."""
  torch.manual_seed(0)
  tower = parity.randomize(networks.CLIPResNet(depths, width, size, embed_dim))
  text = openai_names(checkpoints.clip())
  tensors = {name: t for name, t in text.items() if not name.startswith("visual.")}
  tensors["text_projection"] = torch.randn(32, embed_dim)
  tensors |= {f"visual.{name}": t for name, t in tower.state_dict().items()}
  model = {**CONFIG["model_cfg"], "embed_dim": embed_dim}
  vision = {"image_size": size, "layers": list(depths), "width": width, "patch_size": None}
  return tower, tensors, {**CONFIG, "model_cfg": {**model, "vision_cfg": vision}}


def test_vision_transformer(tmp_path):
  reference = checkpoints.clip()
  clip = models.load(write(tmp_path, openai_names(reference), CONFIG))
  assert clip.config.mean == (0.4, 0.5, 0.6)
  assert clip.preprocess == models.Preprocess(32)
  parity.assert_same(
    clip.visual, lambda p: reference.get_image_features(p).pooler_output, clip.config
  )


def test_absent_quick_gelu_is_gelu_as_open_clip_has_it(tmp_path):
  reference = checkpoints.clip("gelu")
  model = {key: value for key, value in CONFIG["model_cfg"].items() if key != "quick_gelu"}
  clip = models.load(write(tmp_path, openai_names(reference), {**CONFIG, "model_cfg": model}))
  parity.assert_same(
    clip.visual, lambda p: reference.get_image_features(p).pooler_output, clip.config
  )


def test_modified_resnet(tmp_path):
  tower, tensors, config = resnet()
  clip = models.load(write(tmp_path, tensors, config))
  parity.assert_same(clip.visual, tower, clip.config)


@pytest.mark.slow
def test_full_rn50(tmp_path):
  tower, tensors, config = resnet((3, 4, 6, 3), 64, 224, 1024)
  clip = models.load(write(tmp_path, tensors, config))
  parity.assert_same(clip.visual, tower, clip.config, gradient=False)
  parity.assert_same_gradient_in_double(clip.visual, tower.double(), clip.config)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"custom_text": True}, "'custom_text' is set"),
    ({"embed_dim": None}, "lacks 'embed_dim'"),
    ({"embed_dim": 25}, "contradicts the configuration"),
    ({"text_cfg": {**CONFIG["model_cfg"]["text_cfg"], "vocab_size": 9}}, "only CLIP's own"),
    ({"vision_cfg": {"timm_model_name": "x"}}, "'timm_model_name' is set"),
  ],
)
def test_what_is_not_built_is_refused(tmp_path, change, message):
  config = {**CONFIG, "model_cfg": {**CONFIG["model_cfg"], **change}}
  folder = write(tmp_path, openai_names(checkpoints.clip()), config)
  with pytest.raises(errors.InputError, match=message):
    models.load(folder)
