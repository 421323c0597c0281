"""Of each architecture: its published sizes, and a small one as transformers builds it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import transformers as hf

from references import checkpoints
from references.parity import randomize

# As the papers and libraries give them.
PARAMETERS = {
  "ViT-B-32": 151_277_313,
  "ViT-L-14-336-quickgelu": 427_944_193,
  "ViT-bigG-14": 2_539_567_105,
  "RN50-quickgelu": 102_007_137,
  "RN50x4-quickgelu": 178_300_601,
  "ViT-SO400M-14-SigLIP-384": 877_960_498,
  "alexnet": 61_100_840,
  "vgg16": 138_357_544,
  "vgg19_bn": 143_678_248,
  "resnet18": 11_689_512,
  "resnet50": 25_557_032,
  "resnet152": 60_192_808,
  "resnet50d": 25_576_264,
  "resnext50_32x4d": 25_028_904,
  "resnext101_32x8d": 88_791_336,
  "resnext101_64x4d": 83_455_272,
  "wide_resnet50_2": 68_883_240,
  "wide_resnet101_2": 126_886_696,
  "efficientnet_b0": 5_288_548,
  "efficientnet_b3": 12_233_232,
  "efficientnet_b7": 66_347_960,
  "efficientnet_lite0": 4_652_008,
  "efficientnet_lite2": 6_092_072,
  "efficientnet_lite4": 13_006_568,
  "efficientnet_v2_s": 21_458_488,
  "efficientnet_v2_l": 118_515_272,
  "mobilenet_v2": 3_504_872,
  "mobilenet_v3_large": 5_483_032,
  "mobilenet_v3_small": 2_542_856,
  "regnet_y_400mf": 4_344_144,
  "regnet_y_800mf": 6_432_512,
  "regnet_y_16gf": 83_590_140,
  "regnet_y_128gf": 644_812_894,
  "densenet121": 7_978_856,
  "densenet161": 28_681_000,
  "vit_b_16": 86_567_656,
  "vit_ti_16": 5_717_416,
  "vit_s_16": 22_050_664,
  "vit_l_16": 304_326_632,
  "deit3_b_16": 86_585_320,
  "convnext_tiny": 28_589_128,
  "convnext_base": 88_591_464,
  "convnext_xlarge": 350_196_968,
  "swin_t": 28_288_354,
  "swin_s": 49_606_258,
  "swin_b": 87_768_224,
  "swin_l_384": 196_735_516,
  "swinv2_t_8": 28_347_154,
  "convnextv2_atto": 3_708_400,
  "convnextv2_huge": 660_289_640,
}


def vit():
  torch.manual_seed(0)
  return randomize(hf.ViTForImageClassification(hf.ViTConfig(**checkpoints.VISION, num_labels=5)))


def deit():
  torch.manual_seed(0)
  config = hf.DeiTConfig(**checkpoints.VISION, num_labels=5)
  return randomize(hf.DeiTForImageClassificationWithTeacher(config))


def resnet(layer_type="bottleneck"):
  torch.manual_seed(0)
  widths = [32, 64] if layer_type == "bottleneck" else [8, 16]
  config = hf.ResNetConfig(
    embedding_size=8, hidden_sizes=widths, depths=[1, 2], layer_type=layer_type, num_labels=5
  )
  return randomize(hf.ResNetForImageClassification(config))


def convnext():
  torch.manual_seed(0)
  config = hf.ConvNextConfig(hidden_sizes=[8, 12, 16], depths=[1, 2, 1], num_stages=3, num_labels=5)
  return randomize(hf.ConvNextForImageClassification(config))


def convnext_v2():
  torch.manual_seed(0)
  sizes = {"hidden_sizes": [8, 12, 16], "depths": [1, 2, 1], "num_stages": 3}
  return randomize(hf.ConvNextV2ForImageClassification(hf.ConvNextV2Config(**sizes, num_labels=5)))


def swin():
  torch.manual_seed(0)
  sizes = {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
  return randomize(
    hf.SwinForImageClassification(hf.SwinConfig(image_size=32, **sizes, num_labels=5))
  )


def swin_v2():
  torch.manual_seed(0)
  sizes = {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
  config = hf.Swinv2Config(image_size=32, **sizes, pretrained_window_sizes=[3, 2], num_labels=5)
  return randomize(hf.Swinv2ForImageClassification(config))


def efficientnet(width=0.5, head=640):
  torch.manual_seed(0)
  sizes = {"width_coefficient": width, "depth_coefficient": 1.0, "hidden_dim": head}
  config = hf.EfficientNetConfig(**sizes, image_size=32, num_labels=5)
  return randomize(hf.EfficientNetForImageClassification(config))


def mobilenet_v2(width=0.35):
  torch.manual_seed(0)
  config = hf.MobileNetV2Config(depth_multiplier=width, image_size=32, num_labels=5)
  return randomize(hf.MobileNetV2ForImageClassification(config))


def regnet():
  torch.manual_seed(0)
  sizes = {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [1, 2], "groups_width": 8}
  return randomize(hf.RegNetForImageClassification(hf.RegNetConfig(**sizes, num_labels=5)))


class Written(NamedTuple):
  """What transformers writes of a model with five classes and images of 32 pixels."""

  build: Callable[[], Any]
  processor: dict[str, Any]  # As older releases wrote it, by hand.
  image_processor: Any  # As its class writes it.


_CROP, _SQUASH = checkpoints.CROP_PROCESSOR, checkpoints.SQUASH_PROCESSOR
_SQUARE = {"height": 32, "width": 32}
_SHORT = hf.ConvNextImageProcessorPil(size={"shortest_edge": 32})
CLASSIFIERS = {
  "vit": Written(vit, _SQUASH, hf.ViTImageProcessorPil(size=_SQUARE)),
  "deit": Written(
    deit,
    {**checkpoints.CLIP_PROCESSOR, "image_processor_type": "DeiTFeatureExtractor", "size": 36},
    hf.DeiTImageProcessorPil(size={"height": 36, "width": 36}, crop_size=_SQUARE),
  ),
  "resnet": Written(resnet, _CROP, _SHORT),
  "convnext": Written(convnext, _CROP, _SHORT),
  "convnext_v2": Written(convnext_v2, _CROP, _SHORT),
  "mobilenet_v2": Written(
    mobilenet_v2,
    {**checkpoints.CLIP_PROCESSOR, "image_processor_type": "MobileNetV2ImageProcessor"},
    hf.MobileNetV2ImageProcessorPil(size={"shortest_edge": 36}, crop_size=_SQUARE),
  ),
  "regnet": Written(regnet, _CROP, _SHORT),
  "swin": Written(swin, _SQUASH, hf.ViTImageProcessorPil(size=_SQUARE)),
  "swinv2": Written(swin_v2, _SQUASH, hf.ViTImageProcessorPil(size=_SQUARE)),
  "efficientnet": Written(efficientnet, _SQUASH, hf.EfficientNetImageProcessorPil(size=_SQUARE)),
}
