"""Bare tensors under torchvision's and OpenAI's names, and the ways in which files are bad."""

import re
import sys

import numpy as np
import pytest
import torch
from references import checkpoints, networks, parity
from torch import nn

from jaxbench import errors, models
from jaxbench.models.alexnet import AlexNetConfig
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig, Stage
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.vgg import VGGConfig
from jaxbench.models.vit import ViTConfig

SMALL = {"num_classes": 5, "preprocess": Preprocess(32, 36, "bilinear")}
ALEXNET = AlexNetConfig(num_classes=5, preprocess=Preprocess(64))
RESNET = models.ResNetConfig(depths=(1, 2), width=8, **SMALL)
BOTTLENECKS = models.ResNetConfig(depths=(1, 2), width=8, bottleneck=True, **SMALL)
PLAIN = VGGConfig(depths=(1, 2), width=8, hidden=16, **SMALL)
NORMED = VGGConfig(depths=(1, 2), width=8, hidden=16, batch_norm=True, **SMALL)
NETWORKS = {
  "alexnet": (ALEXNET, lambda: networks.alexnet(5)),
  "vgg": (PLAIN, lambda: networks.vgg((1, 2), False, 8, 16, 5)),
  "vgg_bn": (NORMED, lambda: networks.vgg((1, 2), True, 8, 16, 5)),
  "resnet": (RESNET, lambda: networks.ResNet((1, 2), 8, False, 5)),
  "resnet_bottleneck": (BOTTLENECKS, lambda: networks.ResNet((1, 2), 8, True, 5)),
}


@pytest.fixture
def register(monkeypatch):
  """Gives a name to a small size of an architecture."""

  def register(config):
    monkeypatch.setitem(models.ARCHITECTURES, "small", config)

  return register


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_torchvision_networks(tmp_path, register, name, suffix):
  config, build = NETWORKS[name]
  register(config)
  torch.manual_seed(0)
  reference = parity.randomize(build())
  file = tmp_path / f"weights.{suffix}"
  if suffix == "pth":
    torch.save(reference.state_dict(), file)
  else:
    checkpoints.write_safetensors(reference.state_dict(), file)
  model = models.load(str(file), architecture="small")
  parity.assert_same(model, reference, config, gradient=suffix == "pth")


def _renamed(state, *renamings):
  """`state` under other names; the first pattern that matches decides."""
  result = {}
  for name, tensor in state.items():
    for pattern, replacement in renamings:
      new, count = re.subn(pattern, replacement, name)
      if count:
        result[new] = tensor
        break
    else:
      raise AssertionError(name)
  return result


def test_torchvision_vit(tmp_path, register):
  tower = TowerConfig(48, 2, 3, 160, "gelu", 1e-12)
  config = ViTConfig(tower=tower, patch_size=8, num_classes=5, preprocess=Preprocess(32))
  register(config)
  reference = checkpoints.vit()
  layer = r"encoder.layers.encoder_layer_\1"
  state = _renamed(
    reference.state_dict(),
    (r"^vit\.embeddings\.cls_token", "class_token"),
    (r"^vit\.embeddings\.position_embeddings", "encoder.pos_embedding"),
    (r"^vit\.embeddings\.patch_embeddings\.projection", "conv_proj"),
    (r"^.*layers?\.(\d+)\.(?:.*\.)?(query|key|value|[qkv]_proj)\.(.*)", r"qkv_\1_\2_\3"),
    (r"^.*\.(\d+)\.attention\.(?:output\.dense|o_proj)\.", layer + ".self_attention.out_proj."),
    (r"^.*layers?\.(\d+)\.layernorm_before\.", layer + ".ln_1."),
    (r"^.*layers?\.(\d+)\.layernorm_after\.", layer + ".ln_2."),
    (r"^.*layers?\.(\d+)\.(?:intermediate\.dense|mlp\.fc1)\.", layer + ".mlp.linear_1."),
    (r"^.*layers?\.(\d+)\.(?:output\.dense|mlp\.fc2)\.", layer + ".mlp.linear_2."),
    (r"^vit\.layernorm\.", "encoder.ln."),
    (r"^classifier\.", "heads.head."),
  )  # fmt: skip
  parts = {name: state.pop(name) for name in list(state) if name.startswith("qkv_")}
  for i in range(2):
    for end in ("weight", "bias"):
      query, key, value = (
        next(t for n, t in parts.items() if re.fullmatch(rf"qkv_{i}_{part}.*_{end}", n))
        for part in "qkv"
      )
      name = f"encoder.layers.encoder_layer_{i}.self_attention.in_proj_{end}"
      state[name] = torch.cat([query, key, value])
  file = checkpoints.write_safetensors(state, tmp_path / "vit.safetensors")
  model = models.load(file, architecture="small")
  parity.assert_same(model, lambda p: reference(p).logits, config, gradient=False)


def test_torchvision_convnext(tmp_path, register):
  config = ConvNeXtConfig(
    depths=(1, 2, 1), widths=(8, 12, 16), head_epsilon=1e-12, num_classes=5,
    preprocess=Preprocess(32),
  )  # fmt: skip
  register(config)
  reference = checkpoints.convnext()
  state = reference.state_dict()
  stages = {f"convnext.encoder.stages.{i}.layers.": f"features.{2 * i + 1}." for i in range(3)}
  renamed = {}
  for name, tensor in state.items():
    for old, new in stages.items():
      name = name.replace(old, new)
    name = re.sub(r"^(features\.\d+\.\d+)\.", r"\1.block.", name)
    for old, new in (
      ("convnext.embeddings.patch_embeddings", "features.0.0"),
      ("convnext.embeddings.layernorm", "features.0.1"),
      ("convnext.encoder.stages.1.downsampling_layer", "features.2"),
      ("convnext.encoder.stages.2.downsampling_layer", "features.4"),
      ("convnext.layernorm", "classifier.0"),
      ("classifier.weight", "classifier.2.weight"),
      ("classifier.bias", "classifier.2.bias"),
      ("block.dwconv", "block.0"),
      ("block.layernorm", "block.2"),
      ("block.pwconv1", "block.3"),
      ("block.pwconv2", "block.5"),
      ("block.layer_scale_parameter", "layer_scale"),
    ):
      name = name.replace(old, new) if not name.startswith("classifier.0") else name
    renamed[name] = tensor[:, None, None] if name.endswith("layer_scale") else tensor
  file = checkpoints.write_safetensors(renamed, tmp_path / "convnext.safetensors")
  model = models.load(file, architecture="small")
  parity.assert_same(model, lambda p: reference(p).logits, config, gradient=False)


class _TorchvisionMBConv(nn.Module):
  """A block as torchvision lays it out, for its names."""

  def __init__(self, inputs, stage, stride):
    super().__init__()
    middle, squeezed = inputs * stage.expand, inputs // 4
    expand = [_conv_bn(inputs, middle, 1, 1)] if stage.expand != 1 else []
    self.excite = nn.Module()
    self.excite.fc1 = nn.Conv2d(middle, squeezed, 1)
    self.excite.fc2 = nn.Conv2d(squeezed, middle, 1)
    depthwise = _conv_bn(middle, middle, stage.kernel, stride, middle)
    project = _conv_bn(middle, stage.channels, 1, 1)
    self.block = nn.Sequential(*expand, depthwise, self.excite, project)
    del self.excite
    self.residual = stride == 1 and inputs == stage.channels

  def forward(self, x):
    y = x
    for part in self.block[:-2]:
      y = nn.functional.silu(part(y))
    gate = self.block[-2].fc1(y.mean((2, 3), keepdim=True))
    y = y * self.block[-2].fc2(nn.functional.silu(gate)).sigmoid()
    y = self.block[-1](y)
    return x + y if self.residual else y


def _conv_bn(inputs, outputs, kernel, stride, groups=1):
  conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
  return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def test_torchvision_efficientnet(tmp_path, register):
  stages = (Stage(2, 8, 3, 1, 1), Stage(2, 16, 5, 2, 6))
  config = EfficientNetConfig(
    stem=8, stages=stages, head=32, epsilon=1e-5, same_padding=False, **SMALL
  )
  register(config)
  torch.manual_seed(0)
  body = [nn.Sequential(*_conv_bn(3, 8, 3, 2), nn.SiLU())]
  inputs = 8
  for stage in stages:
    blocks = []
    for j in range(stage.depth):
      blocks.append(_TorchvisionMBConv(inputs, stage, stage.stride if j == 0 else 1))
      inputs = stage.channels
    body.append(nn.Sequential(*blocks))
  body.append(nn.Sequential(*_conv_bn(inputs, 32, 1, 1), nn.SiLU()))
  reference = nn.Module()
  reference.features = nn.Sequential(*body)
  reference.classifier = nn.Sequential(nn.Dropout(), nn.Linear(32, 5))
  parity.randomize(reference)
  file = checkpoints.write_safetensors(reference.state_dict(), tmp_path / "b.safetensors")
  model = models.load(file, architecture="small")
  parity.assert_same(
    model, lambda p: reference.classifier(reference.features(p).mean((2, 3))), config
  )


def test_without_an_architecture_the_way_out_is_told(tmp_path):
  file = checkpoints.write_safetensors({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
  with pytest.raises(errors.InputError, match=r"name the architecture .*--architecture"):
    models.load(file)
  with pytest.raises(errors.InputError, match="Did you mean 'resnet50'"):
    models.load(file, architecture="resnet5")
  with pytest.raises(errors.InputError, match="needs the tokenizer"):
    models.load(file, architecture="ViT-B-16-SigLIP")


def _state():
  torch.manual_seed(0)
  return networks.ResNet((1, 2), 8, False, 5).state_dict()


def _load(tmp_path, content, name="weights.safetensors"):
  file = tmp_path / name
  if isinstance(content, bytes):
    file.write_bytes(content)
  else:
    checkpoints.write_safetensors(content, file)
  return models.load(str(file), architecture="small")


BAD_TENSORS = {
  "missing": (lambda s: s.pop("layer1.0.conv1.weight"), r"lacks layer1\.0\.conv1\.weight$"),
  "surplus": (lambda s: s.update(extra=torch.ones(2)), "has no place for extra"),
  "shape": (lambda s: s.update({"fc.bias": torch.ones(6)}), r"fc\.bias has shape \[6\]"),
  "rank": (lambda s: s.update({"conv1.weight": torch.ones(8, 3)}), r"conv1\.weight has shape"),
  "empty": (lambda s: s.update({"fc.weight": torch.ones(0, 8)}), r"fc\.weight has shape \[0, 8\]"),
  "integers": (
    lambda s: s.update({"fc.weight": s["fc.weight"].to(torch.uint8)}),
    r"fc\.weight holds uint8, not floats",
  ),
  "nan": (lambda s: s["fc.weight"].view(-1)[3:4].fill_(torch.nan), r"fc\.weight holds NaN"),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_bad_tensors_are_named(tmp_path, register, name):
  register(RESNET)
  change, message = BAD_TENSORS[name]
  state = _state()
  change(state)
  with pytest.raises(errors.InputError, match=message) as caught:
    _load(tmp_path, state)
  assert "weights.safetensors" in str(caught.value)


def test_truncated_files_are_refused(tmp_path, register):
  register(RESNET)
  checkpoints.write_safetensors(_state(), tmp_path / "whole")
  whole = (tmp_path / "whole").read_bytes()
  for length in (0, 7, 500, len(whole) - 1):
    with pytest.raises(errors.InputError, match="truncated, or not a safetensors file"):
      _load(tmp_path, whole[:length])


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_what_a_failed_download_leaves_is_called_by_its_name(tmp_path, register, name):
  register(RESNET)
  with pytest.raises(errors.InputError, match="an HTML page"):
    _load(tmp_path, b"\n<!DOCTYPE html><html>Quota exceeded</html>", name)
  with pytest.raises(errors.InputError, match="a Git LFS pointer"):
    _load(tmp_path, b"version https://git-lfs.github.com/spec/v1\noid sha256:1", name)


class _Evil:
  def __reduce__(self):
    return (print, ("code was run",))


def test_a_pickle_that_wants_code_is_refused(tmp_path, register, capsys):
  register(RESNET)
  torch.save({"fc.weight": _Evil()}, tmp_path / "evil.pth")
  with pytest.raises(errors.InputError, match="wants to run code"):
    models.load(str(tmp_path / "evil.pth"), architecture="small")
  assert "code was run" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_is_refused_with_a_way_round_that_works(tmp_path, register):
  register(RESNET)
  reference = parity.randomize(networks.ResNet((1, 2), 8, False, 5))
  file = tmp_path / "scripted.pt"
  torch.jit.trace(reference, torch.zeros(1, 3, 32, 32)).save(str(file))
  with pytest.raises(errors.InputError, match="TorchScript archive") as caught:
    models.load(str(file), architecture="small")
  way_round = re.search(r"`(.*)`", str(caught.value))[1]
  eval(way_round, {"torch": torch, "SRC": str(file), "DST": str(tmp_path / "plain.pt")})
  model = models.load(str(tmp_path / "plain.pt"), architecture="small")
  parity.assert_same(model, reference, RESNET, gradient=False)


def test_training_checkpoints_and_old_formats_are_read(tmp_path, register):
  register(RESNET)
  state = _state()
  wrapped = {"epoch": 3, "state_dict": {f"module.{name}": t for name, t in state.items()}}
  torch.save(wrapped, tmp_path / "wrapped.pt")
  torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
  half = {n: t.bfloat16() if t.dtype.is_floating_point else t for n, t in state.items()}
  torch.save(half, tmp_path / "half.bin")
  for name in ("wrapped.pt", "old.pth"):
    model = models.load(str(tmp_path / name), architecture="small")
    np.testing.assert_array_equal(model.fc.kernel[...], state["fc.weight"].numpy().T)
  model = models.load(str(tmp_path / "half.bin"), architecture="small")
  assert str(model.fc.kernel.dtype) == "bfloat16"


@pytest.mark.parametrize("averaged", ["state_dict_ema", "model_ema"])
def test_of_two_networks_in_a_file_none_is_taken(tmp_path, register, averaged):
  register(RESNET)
  file = tmp_path / "training.pt"
  one, two = _state(), {name: tensor + 1 for name, tensor in _state().items()}
  optimizer = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
  whole = {"state_dict": one, averaged: two, "optimizer": optimizer, "epoch": 3}
  torch.save(whole, file)
  with pytest.raises(errors.InputError, match=r"2 networks, \['state_dict'\], ") as caught:
    models.load(str(file), architecture="small")
  way_round = re.search(r"`(.*)`", str(caught.value))[1]
  eval(way_round, {"torch": torch, "SRC": str(file), "DST": str(tmp_path / "one.pt")})
  torch.save({"ema": {"decay": 0.9, "module": two}, "epoch": 3}, tmp_path / "only.pt")
  for name in ("one.pt", "only.pt"):
    model = models.load(str(tmp_path / name), architecture="small")
    np.testing.assert_array_equal(model.fc.bias[...], one["fc.bias"].numpy() + 1)
  torch.save({"model": one, "ema": {"decay": 0.9, "module": two}}, file)
  with pytest.raises(errors.InputError, match=r"2 networks, \['model'\], \['ema'\]\['module'\]"):
    models.load(str(file), architecture="small")


@pytest.mark.parametrize("content", [b"garbage", {"a": 1}, [1, 2]])
def test_what_is_no_state_dict_is_refused(tmp_path, register, content):
  register(RESNET)
  file = tmp_path / "x.pth"
  if isinstance(content, bytes):
    file.write_bytes(content)
  else:
    torch.save(content, file)
  with pytest.raises(errors.InputError, match=r"no checkpoint of torch|not a state dict"):
    models.load(str(file), architecture="small")


def test_without_torch_its_files_are_refused_and_safetensors_are_not(
  tmp_path, register, monkeypatch
):
  register(RESNET)
  torch.save(_state(), tmp_path / "a.pth")
  monkeypatch.setitem(sys.modules, "torch", None)
  with pytest.raises(errors.InputError, match="pip install torch"):
    models.load(str(tmp_path / "a.pth"), architecture="small")


def test_a_file_without_tensors_lacks_all_of_them(tmp_path, register):
  register(RESNET)
  with pytest.raises(errors.InputError, match=r"lacks bn1\.bias, bn1\.running_mean"):
    _load(tmp_path, {})
