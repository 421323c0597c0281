"""Every architecture that has a name, and the families that they are sizes of."""

import dataclasses
import math
from typing import Any

from jaxbench.models.classifier import Classifier, ClassifierConfig
from jaxbench.models.clip import CLIP, CLIPConfig
from jaxbench.models.convnext import ConvNeXt, ConvNeXtConfig
from jaxbench.models.efficientnet import (
  BASE_STAGES,
  EfficientNet,
  EfficientNetConfig,
  round_channels,
)
from jaxbench.models.modified_resnet import ModifiedResNetConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.resnet import ResNet, ResNetConfig
from jaxbench.models.siglip import SigLIP, SigLIPConfig
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.vgg import VGG, AlexNet, AlexNetConfig, VGGConfig
from jaxbench.models.vit import ViT, ViTConfig

Model = CLIP | SigLIP | Classifier
Config = CLIPConfig | SigLIPConfig | ClassifierConfig
FAMILIES: dict[str, tuple[Any, Any]] = {  # Module and configuration.
  "clip": (CLIP, CLIPConfig),
  "siglip": (SigLIP, SigLIPConfig),
  "alexnet": (AlexNet, AlexNetConfig),
  "vgg": (VGG, VGGConfig),
  "resnet": (ResNet, ResNetConfig),
  "efficientnet": (EfficientNet, EfficientNetConfig),
  "vit": (ViT, ViTConfig),
  "convnext": (ConvNeXt, ConvNeXtConfig),
}


def family(config: Config) -> str:
  """The key of `FAMILIES` that `config` belongs to."""
  return next(name for name, (_, kind) in FAMILIES.items() if type(config) is kind)


def tower(width: int, layers: int, heads: int, activation: str, mlp: int = 0) -> TowerConfig:
  """A transformer as CLIP has it; its MLP is four times as wide unless said."""
  return TowerConfig(width, layers, heads, mlp or 4 * width, activation)


def _clips(activation: str) -> dict[str, CLIPConfig]:
  """The sizes of CLIP: OpenAI's (Radford et al., 2021, tables 19 and 20) and LAION's."""

  def text(width: int, layers: int = 12) -> TowerConfig:
    return tower(width, layers, width // 64, activation)

  def vit(
    patch: int,
    size: int,
    vision: tuple[int, int, int],
    embed_dim: int,
    text_tower: TowerConfig,
    mlp: int = 0,
  ) -> CLIPConfig:
    return CLIPConfig(
      embed_dim, tower(*vision, activation, mlp), text_tower, patch, Preprocess(size)
    )

  def resnet(
    depths: tuple[int, ...], width: int, size: int, embed_dim: int, text_width: int
  ) -> CLIPConfig:
    vision = ModifiedResNetConfig(depths, width, width * 32 // 64)
    return CLIPConfig(embed_dim, vision, text(text_width), None, Preprocess(size))

  base, large = (768, 12, 12), (1024, 24, 16)
  return {
    "ViT-B-32": vit(32, 224, base, 512, text(512)),
    "ViT-B-16": vit(16, 224, base, 512, text(512)),
    "ViT-L-14": vit(14, 224, large, 768, text(768)),
    "ViT-L-14-336": vit(14, 336, large, 768, text(768)),
    "ViT-H-14": vit(14, 224, (1280, 32, 16), 1024, text(1024, 24)),
    "ViT-g-14": vit(14, 224, (1408, 40, 16), 1024, text(1024, 24), mlp=6144),
    "ViT-bigG-14": vit(14, 224, (1664, 48, 16), 1280, text(1280, 32), mlp=8192),
    "RN50": resnet((3, 4, 6, 3), 64, 224, 1024, 512),
    "RN101": resnet((3, 4, 23, 3), 64, 224, 512, 512),
    "RN50x4": resnet((4, 6, 10, 6), 80, 288, 640, 640),
    "RN50x16": resnet((6, 8, 18, 8), 96, 384, 768, 768),
    "RN50x64": resnet((3, 15, 36, 10), 128, 448, 1024, 1024),
  }


def _siglip(patch: int, size: int, sizes: tuple[int, int, int, int], words: int) -> SigLIPConfig:
  """Sizes of SigLIP; which tokenizer it is, only a checkpoint can say."""
  width, layers, heads, mlp = sizes
  one = TowerConfig(width, layers, heads, mlp, "gelu_tanh", 1e-6)
  half = (0.5, 0.5, 0.5)
  return SigLIPConfig(
    vision=one,
    text=one,
    embed_dim=width,
    patch_size=patch,
    preprocess=Preprocess(size, squash=True),
    mean=half,
    std=half,
    vocabulary_size=words,
    context_length=64,
    tokenizer_sha256="",
    pad_id=1 if words == 32_000 else 0,
  )


def _torchvision(size: int = 224, resize: int = 256, interpolation: str = "bilinear") -> Any:
  return {"num_classes": 1000, "preprocess": Preprocess(size, resize, interpolation)}


def efficientnet_stages(width: float, depth: float) -> dict[str, Any]:
  """Stem, stages and head of an EfficientNet scaled from B0 (section 3.3)."""
  return {
    "stem": round_channels(32 * width),
    "stages": tuple(
      dataclasses.replace(
        stage,
        channels=round_channels(stage.channels * width),
        depth=math.ceil(stage.depth * depth),
      )
      for stage in BASE_STAGES
    ),
    "head": round_channels(1280 * width),
  }


# Width, depth, then the resize and crop of torchvision's weights.
EFFICIENTNETS = {
  "b0": (1.0, 1.0, 256, 224),
  "b1": (1.0, 1.1, 256, 240),
  "b2": (1.1, 1.2, 288, 288),
  "b3": (1.2, 1.4, 320, 300),
  "b4": (1.4, 1.8, 384, 380),
  "b5": (1.6, 2.2, 456, 456),
  "b6": (1.8, 2.6, 528, 528),
  "b7": (2.0, 3.1, 600, 600),
}
_RESNETS = {
  "resnet18": ((2, 2, 2, 2), False),
  "resnet34": ((3, 4, 6, 3), False),
  "resnet50": ((3, 4, 6, 3), True),
  "resnet101": ((3, 4, 23, 3), True),
  "resnet152": ((3, 8, 36, 3), True),
}
_VGGS = {"vgg11": (1, 1, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_VIT_BASE = TowerConfig(768, 12, 12, 3072, "gelu", 1e-6)


def _supervised() -> dict[str, Config]:
  """Supervised models with the preprocessing of torchvision's first weights, or its second."""
  table: dict[str, Config] = {"alexnet": AlexNetConfig(**_torchvision())}
  for name, stages in _VGGS.items():
    for suffix, batch_norm in (("", False), ("_bn", True)):
      table[name + suffix] = VGGConfig(depths=stages, batch_norm=batch_norm, **_torchvision())
  for name, (depths, bottleneck) in _RESNETS.items():
    resnet = ResNetConfig(depths=depths, bottleneck=bottleneck, **_torchvision())
    table[name] = resnet
    if bottleneck:
      table[f"{name}-v2"] = dataclasses.replace(resnet, **_torchvision(resize=232))
  for name, (width, depth, resize, size) in EFFICIENTNETS.items():
    table[f"efficientnet_{name}"] = EfficientNetConfig(
      **efficientnet_stages(width, depth),
      epsilon=1e-3 if name in ("b5", "b6", "b7") else 1e-5,
      same_padding=False,
      **_torchvision(size, resize, "bicubic"),
    )
  for patch in (32, 16):
    table[f"vit_b_{patch}"] = ViTConfig(tower=_VIT_BASE, patch_size=patch, **_torchvision())
  for name, blocks, widths, resize in (
    ("tiny", (3, 3, 9, 3), (96, 192, 384, 768), 236),
    ("base", (3, 3, 27, 3), (128, 256, 512, 1024), 232),
  ):
    table[f"convnext_{name}"] = ConvNeXtConfig(
      depths=blocks, widths=widths, **_torchvision(resize=resize)
    )
  return table


_BASE, _LARGE = (768, 12, 12, 3072), (1024, 24, 16, 4096)
_SO400M = (1152, 27, 16, 4304)
ARCHITECTURES: dict[str, Config] = {
  **_clips("gelu"),
  **{f"{name}-quickgelu": config for name, config in _clips("quick_gelu").items()},
  "ViT-B-16-SigLIP": _siglip(16, 224, _BASE, 32_000),
  "ViT-L-16-SigLIP-256": _siglip(16, 256, _LARGE, 32_000),
  "ViT-SO400M-14-SigLIP-384": _siglip(14, 384, _SO400M, 32_000),
  "ViT-B-16-SigLIP2": _siglip(16, 224, _BASE, 256_000),
  "ViT-L-16-SigLIP2-256": _siglip(16, 256, _LARGE, 256_000),
  "ViT-SO400M-14-SigLIP2": _siglip(14, 224, _SO400M, 256_000),
  **_supervised(),
}
