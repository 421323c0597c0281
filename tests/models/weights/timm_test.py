"""timm's folders; the tensors are those of transformers' models under timm's names."""

import json

import pytest
import torch
from references import checkpoints, networks, parity

from jaxbench import errors, models
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig, Stage
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.vgg import VGGConfig
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
