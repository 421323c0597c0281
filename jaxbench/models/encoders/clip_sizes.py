"""CLIPs whose image tower is a ResNet or a transformer of open_clip's own, by open_clip's names.

OpenAI's (Radford et al., 2021, tables 19 and 20), LAION's, DataComp's, DFN's, MetaCLIP's; CLIPA
(Li et al., 2023, arXiv:2305.07017), CoCa's contrastive towers (Yu et al., 2022, arXiv:2205.01917).
"""

import dataclasses
from typing import Any

from jaxbench.models.encoders.modified_resnet import ModifiedResNetConfig
from jaxbench.models.encoders.roberta import NAMED as NAMED_ROBERTA
from jaxbench.models.encoders.text_transformer import TextOptions
from jaxbench.models.encoders.tokenizer_file import TokenizerConfig
from jaxbench.models.encoders.vision_transformer import VisionOptions
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.preprocess import Preprocess

Sizes = tuple[int, int, int, int]  # Width, layers, heads, width of the MLP.
_SMALL, _MEDIUM = (384, 12, 6, 1536), (512, 12, 8, 2048)
_BASE, _PLUS = (768, 12, 12, 3072), (896, 12, 14, 3584)
_LARGE, _HUGE, _G = (1024, 24, 16, 4096), (1280, 32, 16, 5120), (1408, 40, 16, 6144)
_BIG_G, _E = (1664, 48, 16, 8192), (1792, 56, 16, 15_360)
_IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def text(width: int, layers: int = 12, activation: str = "gelu") -> TowerConfig:
  """CLIP's text tower in some size."""
  return TowerConfig(width, layers, width // 64, 4 * width, activation)


def _vit(
  patch: int,
  size: int,
  vision: Sizes,
  embed_dim: int,
  words: tuple[int, int],
  activation: str = "gelu",
  **options: Any,
) -> dict[str, Any]:
  """Fields of a CLIPConfig; `words` are width and layers of the text tower."""
  return {
    "embed_dim": embed_dim,
    "vision": TowerConfig(*vision, activation),
    "text": text(*words, activation),
    "patch_size": patch,
    "preprocess": Preprocess(size),
    **options,
  }


def _resnet(
  depths: tuple[int, ...], width: int, size: int, embed_dim: int, words: int, activation: str
) -> dict[str, Any]:
  return {
    "embed_dim": embed_dim,
    "vision": ModifiedResNetConfig(depths, width, width * 32 // 64),
    "text": text(words, activation=activation),
    "patch_size": None,
    "preprocess": Preprocess(size),
  }


def _published(activation: str) -> dict[str, dict[str, Any]]:
  """Those of which there are weights with either activation."""

  def vit(patch: int, size: int, vision: Sizes, embed_dim: int, layers: int = 12) -> dict[str, Any]:
    return _vit(patch, size, vision, embed_dim, (embed_dim, layers), activation)

  return {
    "ViT-B-32": vit(32, 224, _BASE, 512),
    "ViT-B-16": vit(16, 224, _BASE, 512),
    "ViT-L-14": vit(14, 224, _LARGE, 768),
    "ViT-L-14-336": vit(14, 336, _LARGE, 768),
    "ViT-H-14": vit(14, 224, _HUGE, 1024, 24),
    # DFN's alone.
    "ViT-H-14-378": vit(14, 378, _HUGE, 1024, 24) | {"preprocess": Preprocess(378, squash=True)},
    "ViT-g-14": vit(14, 224, _G, 1024, 24),
    "ViT-bigG-14": vit(14, 224, _BIG_G, 1280, 32),
    "RN50": _resnet((3, 4, 6, 3), 64, 224, 1024, 512, activation),
    "RN101": _resnet((3, 4, 23, 3), 64, 224, 512, 512, activation),
    "RN50x4": _resnet((4, 6, 10, 6), 80, 288, 640, 640, activation),
    "RN50x16": _resnet((6, 8, 18, 8), 96, 384, 768, 768, activation),
    "RN50x64": _resnet((3, 15, 36, 10), 128, 448, 1024, 1024, activation),
  }


def _clipa(size: int, vision: Sizes, embed_dim: int, layers: int) -> dict[str, Any]:
  return _vit(
    14,
    size,
    vision,
    embed_dim,
    (embed_dim, layers),
    context_length=32,
    vocabulary_size=32_000,
    vision_options=VisionOptions(pre_norm=False, pool="patches", norm_after_pool=True),
    text_options=TextOptions(causal=False, pool="last"),
    tokenizer=TokenizerConfig("", 0, "whitespace", removed_id=102),
  ) | {"preprocess": Preprocess(size, interpolation="bilinear", squash=True), **_IMAGENET}


def _worldwide(
  size: int,
  vision: Sizes,
  embed_dim: int,
  layers: int,
  activation: str = "gelu",
  mt5: bool = False,
) -> dict[str, Any]:
  """MetaCLIP 2 (Chuang et al., 2025, arXiv:2507.22062), with the tokenizer of XLM-V or of mT5."""
  words = TokenizerConfig("", 1, "whitespace")
  return _vit(
    14,
    size,
    vision,
    embed_dim,
    (embed_dim, layers),
    activation,
    vocabulary_size=250_100 if mt5 else 901_629,
    text_options=TextOptions(pool="end", end_id=1 if mt5 else 2),
    tokenizer=TokenizerConfig("", 0, "canonicalize") if mt5 else words,
  )


def _coca(
  patch: int, vision: Sizes, embed_dim: int, size: int = 224, **options: Any
) -> dict[str, Any]:
  return _vit(
    patch,
    size,
    vision,
    embed_dim,
    (options.pop("words", embed_dim), 12),
    context_length=76,
    text_options=TextOptions(class_token=True),
    **{"vision_options": VisionOptions(pool="query", queries=256), **options},
  )


def _roberta(
  name: str, patch: int, vision: Sizes, embed_dim: int, activation: str = "gelu", **options: Any
) -> dict[str, Any]:
  words, rows = NAMED_ROBERTA[name]
  words = dataclasses.replace(words, hidden=options.pop("hidden", True))
  fields = _vit(patch, 224, vision, embed_dim, (64, 1), activation, **options)
  return fields | {
    "text": words,
    "vocabulary_size": rows,
    "tokenizer": TokenizerConfig("", 1, "whitespace"),
  }


_PLAIN: dict[str, dict[str, Any]] = {
  "ViT-S-32": _vit(32, 224, _SMALL, 384, (384, 12)),
  "ViT-S-32-alt": _vit(32, 224, _SMALL, 256, (256, 10)),
  "ViT-S-16": _vit(16, 224, _SMALL, 384, (384, 12)),
  "ViT-S-16-alt": _vit(16, 224, _SMALL, 256, (256, 10)),
  "ViT-M-32": _vit(32, 224, _MEDIUM, 512, (512, 12)),
  "ViT-M-32-alt": _vit(32, 224, _MEDIUM, 384, (384, 12)),
  "ViT-M-16": _vit(16, 224, _MEDIUM, 512, (512, 12)),
  "ViT-M-16-alt": _vit(16, 224, _MEDIUM, 384, (384, 12))
  | {"vision": TowerConfig(*_MEDIUM, "gelu", layer_scale=True)},
  "ViT-B-32-256": _vit(32, 256, _BASE, 512, (512, 12)),
  "ViT-B-32-plus-256": _vit(32, 256, _PLUS, 640, (640, 12)),
  "ViT-B-16-plus": _vit(16, 224, _PLUS, 640, (640, 12)),
  "ViT-B-16-plus-240": _vit(16, 240, _PLUS, 640, (640, 12)),
  "ViT-L-14-280": _vit(14, 280, _LARGE, 768, (768, 12)),
  "ViT-L-16": _vit(16, 224, _LARGE, 768, (768, 12)),
  "ViT-L-16-320": _vit(16, 320, _LARGE, 768, (768, 12)),
  "ViT-H-16": _vit(16, 224, _HUGE, 1024, (1024, 24)),
  "ViT-e-14": _vit(14, 224, _E, 1280, (1280, 36)),
}
# Others cannot be in the format of transformers.
NOT_CLIPS: dict[str, dict[str, Any]] = {
  "ViT-L-14-CLIPA": _clipa(224, _LARGE, 768, 12),
  "ViT-L-14-CLIPA-336": _clipa(336, _LARGE, 768, 12),
  "ViT-H-14-CLIPA": _clipa(224, _HUGE, 1024, 24),
  "ViT-H-14-CLIPA-336": _clipa(336, _HUGE, 1024, 24),
  "ViT-bigG-14-CLIPA": _clipa(224, _BIG_G, 1280, 32),
  "ViT-bigG-14-CLIPA-336": _clipa(336, _BIG_G, 1280, 32),
  "ViT-L-14-worldwide": _worldwide(224, _LARGE, 768, 12, mt5=True),
  "ViT-L-14-worldwide-quickgelu": _worldwide(224, _LARGE, 768, 12, "quick_gelu", mt5=True),
  "ViT-H-14-worldwide": _worldwide(224, _HUGE, 1024, 24),
  "ViT-H-14-worldwide-quickgelu": _worldwide(224, _HUGE, 1024, 24, "quick_gelu"),
  "ViT-H-14-worldwide-378": _worldwide(378, _HUGE, 1024, 24),
  "ViT-bigG-14-worldwide": _worldwide(224, _BIG_G, 1280, 32),
  "ViT-bigG-14-worldwide-378": _worldwide(378, _BIG_G, 1280, 32),
  "roberta-ViT-B-32": _roberta("roberta-base", 32, _BASE, 512, "quick_gelu"),
  "coca_roberta-ViT-B-32": _roberta("roberta-base", 32, _BASE, 512, hidden=False),
  "xlm-roberta-base-ViT-B-32": _roberta("xlm-roberta-base", 32, _BASE, 512),
  "xlm-roberta-large-ViT-H-14": _roberta("xlm-roberta-large", 14, _HUGE, 1024),
  "coca_base": _coca(
    18, _BASE, 512, 288, words=768, vocabulary_size=64_000, vision_options=VisionOptions()
  ),
  "coca_ViT-B-32": _coca(32, _BASE, 512),
  "coca_ViT-L-14": _coca(14, _LARGE, 768),
}
NAMED: dict[str, dict[str, Any]] = {
  **_published("gelu"),
  **{f"{name}-quickgelu": fields for name, fields in _published("quick_gelu").items()},
  **_PLAIN,
  **NOT_CLIPS,
}
SOURCES: dict[str, tuple[str, ...]] = {
  "ViT-B-32-quickgelu": ("openai/clip-vit-base-patch32",),
  "ViT-B-16-quickgelu": ("openai/clip-vit-base-patch16",),
  "ViT-L-14-quickgelu": (
    "openai/clip-vit-large-patch14",
    "chs20/fare2-clip",
    "chs20/fare4-clip",
    "chs20/tecoa2-clip",
    "chs20/tecoa4-clip",
  ),
  "ViT-L-14-336-quickgelu": ("openai/clip-vit-large-patch14-336",),
  "RN50-quickgelu": ("timm/resnet50_clip.openai",),
  "RN101-quickgelu": ("timm/resnet101_clip.openai",),
  "RN50x4-quickgelu": ("timm/resnet50x4_clip.openai",),
  "RN50x16-quickgelu": ("timm/resnet50x16_clip.openai",),
  "RN50x64-quickgelu": ("timm/resnet50x64_clip.openai",),
  "ViT-B-32": ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K",),
  "ViT-B-16": ("laion/CLIP-ViT-B-16-laion2B-s34B-b88K",),
  "ViT-L-14": ("laion/CLIP-ViT-L-14-laion2B-s32B-b82K",),
  "ViT-H-14": ("laion/CLIP-ViT-H-14-laion2B-s32B-b79K",),
  "ViT-g-14": ("laion/CLIP-ViT-g-14-laion2B-s34B-b88K",),
  "ViT-bigG-14": ("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",),
}
