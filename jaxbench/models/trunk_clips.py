"""CLIPs of open_clip whose image towers are networks of timm, by open_clip's names."""

from typing import Any

from jaxbench.models.preprocess import Preprocess
from jaxbench.models.towers import TRUNKS
from jaxbench.models.transformer import TowerConfig


def _text(width: int, layers: int = 12) -> TowerConfig:
  return TowerConfig(width, layers, width // 64, 4 * width, "gelu")


def _clip(trunk: str, size: int, embed_dim: int, text: TowerConfig) -> dict[str, Any]:
  """Fields of a CLIPConfig; images come as OpenAI has them."""
  _, sized = TRUNKS[trunk]
  return {
    "embed_dim": embed_dim,
    "vision": sized.config,
    "text": text,
    "patch_size": sized.patch_size,
    "preprocess": Preprocess(size),
  }


def _pe(
  trunk: str, size: int, embed_dim: int, text: TowerConfig, words: int = 32
) -> dict[str, Any]:
  """The Perception Encoder's; images come as Meta has them."""
  half = (0.5, 0.5, 0.5)
  images = Preprocess(size, interpolation="bilinear", squash=True)
  changes = {"preprocess": images, "mean": half, "std": half, "context_length": words}
  return _clip(f"vit_pe_core_{trunk}_{size}", size, embed_dim, text) | changes


_ENORMOUS = "eva02_enormous_patch14_clip_224"
NAMED: dict[str, dict[str, Any]] = {
  "EVA01-g-14": _clip("eva_giant_patch14_224", 224, 1024, _text(768)),
  "EVA01-g-14-plus": _clip("eva_giant_patch14_224", 224, 1024, _text(1024, 24)),
  "EVA02-B-16": _clip("eva02_base_patch16_clip_224", 224, 512, _text(512)),
  "EVA02-L-14": _clip("eva02_large_patch14_clip_224", 224, 768, _text(768)),
  "EVA02-L-14-336": _clip("eva02_large_patch14_clip_336", 336, 768, _text(768)),
  "EVA02-E-14": _clip(_ENORMOUS, 224, 1024, _text(1024, 24)),
  "EVA02-E-14-plus": _clip(_ENORMOUS, 224, 1024, _text(1280, 32)),
  "PE-Core-T-16-384": _pe("tiny_patch16", 384, 512, _text(512)),
  "PE-Core-S-16-384": _pe("small_patch16", 384, 512, _text(512)),
  "PE-Core-B-16": _pe("base_patch16", 224, 1024, _text(1024, 24)),
  "PE-Core-L-14-336": _pe("large_patch14", 336, 1024, _text(1024, 24)),
  "PE-Core-bigG-14-448": _pe("gigantic_patch14", 448, 1280, _text(1280, 24), words=72),
}
SOURCES: dict[str, tuple[str, ...]] = {
  "EVA01-g-14": ("timm/eva_giant_patch14_clip_224.laion400m_s11b_b41k",),
  "EVA01-g-14-plus": ("timm/eva_giant_patch14_plus_clip_224.merged2b_s11b_b114k",),
  "EVA02-B-16": ("timm/eva02_base_patch16_clip_224.merged2b_s8b_b131k",),
  "EVA02-L-14": ("timm/eva02_large_patch14_clip_224.merged2b_s4b_b131k",),
  "EVA02-L-14-336": ("timm/eva02_large_patch14_clip_336.merged2b_s6b_b61k",),
  "EVA02-E-14": ("timm/eva02_enormous_patch14_clip_224.laion2b_s4b_b115k",),
  "EVA02-E-14-plus": ("timm/eva02_enormous_patch14_plus_clip_224.laion2b_s9b_b144k",),
  **{name: (f"timm/{name}",) for name in NAMED if name.startswith("PE-Core")},
}
