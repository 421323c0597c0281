"""timm's folders; the tensors are those of transformers' models under timm's names."""

import json
import re

import pytest
import torch
from references import checkpoints, networks, parity

from jaxbench import errors, models
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig, Stage
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.vgg import VGGConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights import timm

SMALL = {"num_classes": 5, "preprocess": Preprocess(32)}


@pytest.fixture
def register(monkeypatch):
  """Gives one of timm's names to a small size."""

  def register(config):
    monkeypatch.setitem(models.ARCHITECTURES, "small", config)
    monkeypatch.setitem(timm.NAMES, "small", ("small", {}))

  return register


def write(folder, tensors, **changes):
  images = {
    "input_size": [3, 32, 32],
    "mean": [0.5, 0.4, 0.5],
    "std": [0.5, 0.5, 0.3],
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "num_classes": 5,
  }
  config = {"architecture": "small", "num_classes": 5, "pretrained_cfg": images | changes}
  checkpoints.write_safetensors(tensors, folder / "model.safetensors")
  (folder / "config.json").write_text(json.dumps(config))
  return str(folder)


def test_vit(tmp_path, register):
  tower = TowerConfig(48, 2, 3, 160, "gelu", 1e-12)
  register(ViTConfig(tower=tower, patch_size=8, **SMALL))
  reference = checkpoints.vit()
  checkpoints.write_huggingface(reference, tmp_path / "hf", checkpoints.SQUASH_PROCESSOR)
  state = checkpoints.read_safetensors(tmp_path / "hf" / "model.safetensors")
  named = {}
  for i in range(2):
    old, new = f"vit.encoder.layer.{i}.", f"blocks.{i}."
    for end in ("weight", "bias"):
      heads = [state.pop(f"{old}attention.attention.{n}.{end}") for n in ("query", "key", "value")]
      named[f"{new}attn.qkv.{end}"] = torch.cat(heads)
      for one, two in (
        ("attention.output.dense", "attn.proj"),
        ("layernorm_before", "norm1"),
        ("layernorm_after", "norm2"),
        ("intermediate.dense", "mlp.fc1"),
        ("output.dense", "mlp.fc2"),
      ):
        named[f"{new}{two}.{end}"] = state.pop(f"{old}{one}.{end}")
  named |= {
    name.replace("vit.embeddings.patch_embeddings.projection", "patch_embed.proj")
    .replace("vit.embeddings.position_embeddings", "pos_embed")
    .replace("vit.embeddings.cls_token", "cls_token")
    .replace("vit.layernorm", "norm")
    .replace("classifier", "head"): tensor
    for name, tensor in state.items()
  }
  model = models.load(write(tmp_path / "timm", named))
  assert model.preprocess == Preprocess(32, 35)
  parity.assert_same(model, lambda p: reference(p).logits, model.config, gradient=False)


def test_convnext(tmp_path, register):
  register(ConvNeXtConfig(depths=(1, 2, 1), widths=(8, 12, 16), head_epsilon=1e-12, **SMALL))
  reference = checkpoints.convnext()
  named = {}
  for name, tensor in reference.state_dict().items():
    name = name.replace("convnext.embeddings.patch_embeddings", "stem.0")
    name = name.replace("convnext.embeddings.layernorm", "stem.1")
    name = name.replace("convnext.layernorm", "head.norm").replace("classifier", "head.fc")
    name = name.replace("convnext.encoder.", "").replace("downsampling_layer", "downsample")
    name = name.replace(".layers.", ".blocks.").replace("dwconv", "conv_dw")
    name = name.replace("pwconv", "mlp.fc").replace(".layernorm.", ".norm.")
    named[name.replace("layer_scale_parameter", "gamma")] = tensor
  model = models.load(write(tmp_path, named))
  parity.assert_same(model, lambda p: reference(p).logits, model.config, gradient=False)


def test_efficientnet_of_tensorflow(tmp_path, monkeypatch):
  """B0 in full: the name decides padding and epsilon ("tf_")."""
  reference = checkpoints.efficientnet(width=1.0, head=1280)
  starts = (0, 1, 3, 5, 8, 11, 15, 16)
  places = [(i, b - start) for i, start in enumerate(starts) for b in range(start, 99)
            if i < 7 and b < starts[i + 1]]  # fmt: skip
  named = {}
  for name, tensor in reference.state_dict().items():
    if match := re.match(r"efficientnet\.encoder\.blocks\.(\d+)\.(.*)", name):
      stage, block = places[int(match[1])]
      expands = stage > 0
      renamed = (
        match[2]
        .replace("expansion.expand_conv", "conv_pw")
        .replace("expansion.expand_bn", "bn1")
        .replace("depthwise_conv.depthwise_conv", "conv_dw")
        .replace("depthwise_conv.depthwise_norm", "bn2" if expands else "bn1")
        .replace("squeeze_excite.", "se.conv_")
        .replace("projection.project_conv", "conv_pwl" if expands else "conv_pw")
        .replace("projection.project_bn", "bn3" if expands else "bn2")
      )
      named[f"blocks.{stage}.{block}.{renamed}"] = tensor
    else:
      name = name.replace("efficientnet.embeddings.convolution", "conv_stem")
      name = name.replace("efficientnet.embeddings.batchnorm", "bn1")
      name = name.replace("efficientnet.encoder.top_conv", "conv_head")
      named[name.replace("efficientnet.encoder.top_bn", "bn2")] = tensor
  folder = write(tmp_path, named)
  config = json.loads((tmp_path / "config.json").read_text())
  config["architecture"] = "tf_efficientnet_b0"
  (tmp_path / "config.json").write_text(json.dumps(config))
  model = models.load(folder)
  assert model.config.same_padding
  parity.assert_same(model, lambda p: reference(p).logits, model.config, gradient=False)


def test_vgg_and_its_convolutional_head(tmp_path, register):
  register(VGGConfig(depths=(1, 2), width=8, hidden=16, **SMALL))
  torch.manual_seed(0)
  reference = parity.randomize(networks.vgg((1, 2), False, 8, 16, 5))
  named = {}
  for name, tensor in reference.state_dict().items():
    name = name.replace("classifier.0", "pre_logits.fc1").replace("classifier.3", "pre_logits.fc2")
    name = name.replace("classifier.6", "head.fc")
    if name == "pre_logits.fc1.weight":
      tensor = tensor.reshape(16, -1, 7, 7)
    named[name] = tensor[:, :, None, None] if name == "pre_logits.fc2.weight" else tensor
  model = models.load(write(tmp_path, named))
  parity.assert_same(model, reference, model.config, gradient=False)


def test_resnet_and_the_size_it_is_tested_at(tmp_path, register):
  register(models.ResNetConfig(depths=(1, 2), width=8, **SMALL))
  torch.manual_seed(0)
  reference = parity.randomize(networks.ResNet((1, 2), 8, False, 5))
  sizes = {"test_input_size": [3, 48, 48], "test_crop_pct": 0.96, "interpolation": "bilinear"}
  model = models.load(write(tmp_path, reference.state_dict(), **sizes))
  assert model.preprocess == Preprocess(48, 50, "bilinear")
  parity.assert_same(model, reference, model.config, gradient=False)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"architecture": "swin_tiny"}, "architecture 'swin_tiny' is not supported"),
    ({"model_args": {"in_chans": 1}}, "model_args: 'in_chans' is set to 1: not supported"),
    ({"architecture": None}, "lacks 'architecture'"),
  ],
)
def test_other_architectures_are_refused(tmp_path, register, change, message):
  register(models.ResNetConfig(depths=(1, 2), width=8, **SMALL))
  folder = write(tmp_path, networks.ResNet((1, 2), 8, False, 5).state_dict())
  config = json.loads((tmp_path / "config.json").read_text())
  (tmp_path / "config.json").write_text(json.dumps(config | change))
  with pytest.raises(errors.InputError, match=message):
    models.load(folder)


def test_tensorflow_and_torch_weights_of_one_name_differ_in_padding():
  ported, ours = timm.named("tf_efficientnet_b3"), timm.named("efficientnet_b3")
  assert isinstance(ported, EfficientNetConfig)
  assert (ported.same_padding, ported.epsilon) == (True, 1e-3)
  assert ported.stages[0] == Stage(2, 24, 3, 1, 1)
  assert not ours.same_padding
