import dataclasses

import pytest
import torch
import transformers as hf
from references import checkpoints, families, networks, parity
from references.writers import timm

from jaxbench import models

SMALL = {"num_classes": 5, "preprocess": models.Preprocess(32, 36, "bilinear")}


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_torchvision(load_bare, bottleneck, suffix):
  config = models.ResNetConfig(depths=(1, 2), width=8, bottleneck=bottleneck, **SMALL)
  torch.manual_seed(0)
  reference = parity.randomize(networks.ResNet((1, 2), 8, bottleneck, 5))
  model = load_bare(config, reference.state_dict(), suffix)
  parity.assert_same(model, reference, config, gradient=suffix == "pth")


@pytest.mark.slow
@pytest.mark.parametrize(
  ("arguments", "sizes"),
  [
    ({"cardinality": 4, "base_width": 8}, {"groups": 4, "group_width": 8}),  # ResNeXt.
    ({"base_width": 128}, {"group_width": 128}),  # Wide ResNet.
    ({"stem_type": "deep", "stem_width": 32, "avg_down": True}, {"deep": True}),  # ResNet-D.
  ],
)
def test_timm(load_timm, arguments, sizes):
  config = models.ResNetConfig(depths=(1, 1, 1, 2), bottleneck=True, **sizes, **SMALL)
  reference = timm.create_model("resnet50", layers=(1, 1, 1, 2), num_classes=5, **arguments)
  model = load_timm(config, parity.randomize(reference))
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_odd_sides_are_halved_as_torch_does(load_timm):
  reference = timm.create_model("resnet18d", layers=(1, 1, 1, 1), num_classes=5)
  sizes = {"depths": (1, 1, 1, 1), "deep": True, "num_classes": 5}
  config = models.ResNetConfig(**sizes, preprocess=models.Preprocess(36))
  model = load_timm(config, parity.randomize(reference))
  model.config = dataclasses.replace(model.config, preprocess=config.preprocess)
  parity.assert_same(model, reference, model.config, gradient=False, within=1e-5)


def test_basic_blocks_of_transformers(tmp_path):
  reference = families.resnet("basic")
  model = models.load(
    checkpoints.write_huggingface(reference, tmp_path, checkpoints.CROP_PROCESSOR)
  )
  parity.assert_same(model, lambda pixels: reference(pixels).logits, model.config)


@pytest.mark.slow
def test_full_resnet_50(tmp_path):
  reference = parity.randomize(hf.ResNetForImageClassification(hf.ResNetConfig(num_labels=1000)))
  processor = {**checkpoints.CROP_PROCESSOR, "size": 224}
  model = models.load(checkpoints.write_huggingface(reference, tmp_path, processor))
  assert model.config.preprocess == models.Preprocess(224, 256, margin="floor")
  parity.assert_same(model, lambda pixels: reference(pixels).logits, model.config, gradient=False)
  double = reference.double()
  parity.assert_same_gradient_in_double(model, lambda pixels: double(pixels).logits, model.config)
