import numpy as np
import pytest
import torch
import transformers as hf
from references import families, parity
from torch import nn

from jaxbench import models
from jaxbench.models.classifiers.efficientnet import EfficientNetConfig
from jaxbench.models.parts.mbconv import Stage
from jaxbench.models.weights import timm

SMALL = {"num_classes": 5, "preprocess": models.Preprocess(32, 36, "bilinear")}


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


@pytest.mark.slow
def test_torchvision_efficientnet(load_bare):
  stages = (Stage(2, 8, 3, 1, 1), Stage(2, 16, 5, 2, 6))
  config = EfficientNetConfig(
    stem=8, stages=stages, head=32, epsilon=1e-5, same_padding=False, **SMALL
  )
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
  model = load_bare(config, reference.state_dict())
  parity.assert_same(
    model, lambda p: reference.classifier(reference.features(p).mean((2, 3))), config
  )


def test_efficientnet_normalises_twice_as_its_processor_does(tmp_path):
  reference = families.efficientnet()
  processor = hf.EfficientNetImageProcessorPil(size={"height": 32, "width": 32}, resample=3)
  processor.save_pretrained(tmp_path)
  reference.save_pretrained(tmp_path)
  model = models.load(str(tmp_path))
  image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
  expected = processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
  found = model.standardize(image[None] / np.float32(255), model.config.mean, model.config.std)
  np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_tensorflow_and_torch_weights_of_one_name_differ_in_padding():
  ported, ours = timm.named("tf_efficientnet_b3"), timm.named("efficientnet_b3")
  assert isinstance(ported, EfficientNetConfig)
  assert (ported.same_padding, ported.epsilon) == (True, 1e-3)
  assert ported.stages[0] == Stage(2, 24, 3, 1, 1)
  assert not ours.same_padding
