"""CLIPs of open_clip whose image towers are networks of timm, by open_clip's names."""

import dataclasses
from typing import Any

from jaxbench.models.encoders.clip_sizes import text
from jaxbench.models.encoders.text_transformer import TextOptions
from jaxbench.models.encoders.towers import TRUNKS
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.preprocess import Preprocess


def _clip(trunk: str, size: int, embed_dim: int, words: TowerConfig) -> dict[str, Any]:
  """Fields of a CLIPConfig; images come as OpenAI has them."""
  _, sized = TRUNKS[trunk]
  return {
    "embed_dim": embed_dim,
    "vision": sized.config,
    "text": words,
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


def _convnext(
  size: str, pixels: int, embed_dim: int, words: TowerConfig, *, hidden: bool = False
) -> dict[str, Any]:
  """LAION's, and others of that kind."""
  fields = _clip(f"convnext_{size}", pixels, embed_dim, words)
  return fields | {"vision": dataclasses.replace(fields["vision"], hidden=hidden)}


# A classifier has the names that end with "_clip" here, without that.
_CONVNEXT: dict[str, dict[str, Any]] = {
  "convnext_tiny_clip": _convnext("tiny", 224, 1024, text(512)),
  "convnext_small_clip": _convnext("small", 224, 512, text(512)),
  "convnext_base_clip": _convnext("base", 224, 512, text(512)),
  "convnext_base_w": _convnext("base", 256, 640, text(640)),
  "convnext_base_w_320": _convnext("base", 320, 640, text(640)),
  "convnext_large_clip": _convnext("large", 224, 768, text(768)),
  "convnext_large_d": _convnext("large", 256, 768, text(768, 16), hidden=True),
  "convnext_large_d_320": _convnext("large", 320, 768, text(768, 16), hidden=True),
  "convnext_xlarge_clip": _convnext("xlarge", 256, 1024, text(1024, 20)),
  "convnext_xxlarge_clip": _convnext("xxlarge", 256, 1024, text(1024, 24)),
  "convnext_xxlarge_320": _convnext("xxlarge", 320, 1024, text(1024, 24)),
}


def _vitamin(name: str, size: int, embed_dim: int, layers: int = 12) -> dict[str, Any]:
  heads = 16 if embed_dim == 1152 else embed_dim // 64
  words = TowerConfig(embed_dim, layers, heads, 4 * embed_dim, "gelu")
  return _clip(f"vitamin_{name}_{size}", size, embed_dim, words)


_VITAMIN: dict[str, dict[str, Any]] = {
  "ViTamin-S": _vitamin("small", 224, 384),
  "ViTamin-S-LTT": _vitamin("small", 224, 768),
  "ViTamin-B": _vitamin("base", 224, 512),
  "ViTamin-B-LTT": _vitamin("base", 224, 768),
  "ViTamin-L": _vitamin("large", 224, 768),
  "ViTamin-L2": _vitamin("large2", 224, 1024, 24),
  **{f"ViTamin-L-{size}": _vitamin("large", size, 768) for size in (256, 336, 384)},
  **{f"ViTamin-L2-{size}": _vitamin("large2", size, 1024, 24) for size in (256, 336, 384)},
  **{f"ViTamin-XL-{size}": _vitamin("xlarge", size, 1152, 27) for size in (256, 336)},
  # To which open_clip gives images of 256 pixels; it takes any size.
  "ViTamin-XL-384": _vitamin("xlarge", 384, 1152, 27) | {"preprocess": Preprocess(256)},
}


def _mobileclip_b() -> dict[str, Any]:
  """Apple's, whose images are resized with another filter and not standardised."""
  fields = _clip("vit_base_mci_224", 224, 512, text(512))
  return fields | _AS_THEY_ARE | {"preprocess": Preprocess(224, interpolation="bilinear")}


def _mobileclip(trunk: str, embed_dim: int = 512, **images: Any) -> dict[str, Any]:
  """Those of convolutions, whose text towers see all words."""
  fields = _clip(trunk, 256, embed_dim, text(embed_dim)) | {
    "text_options": TextOptions(causal=False)
  }
  return fields | images | {"preprocess": Preprocess(256, interpolation="bilinear")}


_AS_THEY_ARE: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
_ENORMOUS = "eva02_enormous_patch14_clip_224"
NAMED: dict[str, dict[str, Any]] = {
  **_CONVNEXT,
  **_VITAMIN,
  "EVA01-g-14": _clip("eva_giant_patch14_224", 224, 1024, text(768)),
  "EVA01-g-14-plus": _clip("eva_giant_patch14_224", 224, 1024, text(1024, 24)),
  "EVA02-B-16": _clip("eva02_base_patch16_clip_224", 224, 512, text(512)),
  "EVA02-L-14": _clip("eva02_large_patch14_clip_224", 224, 768, text(768)),
  "EVA02-L-14-336": _clip("eva02_large_patch14_clip_336", 336, 768, text(768)),
  "EVA02-E-14": _clip(_ENORMOUS, 224, 1024, text(1024, 24)),
  "EVA02-E-14-plus": _clip(_ENORMOUS, 224, 1024, text(1280, 32)),
  "MobileCLIP-B": _mobileclip_b(),
  "MobileCLIP2-B": _mobileclip_b(),
  "MobileCLIP-S1": _mobileclip("fastvit_mci1", **_AS_THEY_ARE),
  "MobileCLIP-S2": _mobileclip("fastvit_mci2", **_AS_THEY_ARE),
  "MobileCLIP2-S0": _mobileclip("fastvit_mci0", **_AS_THEY_ARE),
  "MobileCLIP2-S2": _mobileclip("fastvit_mci2", **_AS_THEY_ARE),
  "MobileCLIP2-S3": _mobileclip("fastvit_mci3", 768),
  "MobileCLIP2-S4": _mobileclip("fastvit_mci4", 768),
  "MobileCLIP2-L-14": _clip("vit_large_patch14_clip_224", 224, 768, text(768))
  | {"text_options": TextOptions(causal=False)},
  "PE-Core-T-16-384": _pe("tiny_patch16", 384, 512, text(512)),
  "PE-Core-S-16-384": _pe("small_patch16", 384, 512, text(512)),
  "PE-Core-B-16": _pe("base_patch16", 224, 1024, text(1024, 24)),
  "PE-Core-L-14-336": _pe("large_patch14", 336, 1024, text(1024, 24)),
  "PE-Core-bigG-14-448": _pe("gigantic_patch14", 448, 1280, text(1280, 24), words=72),
}
SOURCES: dict[str, tuple[str, ...]] = {
  "convnext_base_w": ("laion/CLIP-convnext_base_w-laion2B-s13B-b82K",),
  "convnext_base_w_320": ("laion/CLIP-convnext_base_w_320-laion_aesthetic-s13B-b82K",),
  "convnext_large_d": ("laion/CLIP-convnext_large_d.laion2B-s26B-b102K-augreg",),
  "convnext_large_d_320": ("laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft",),
  "convnext_xxlarge_clip": ("laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg",),
  "MobileCLIP-B": ("apple/MobileCLIP-B-OpenCLIP",),
  "MobileCLIP-S1": ("apple/MobileCLIP-S1-OpenCLIP",),
  "MobileCLIP-S2": ("apple/MobileCLIP-S2-OpenCLIP",),
  **{f"MobileCLIP2-S{size}": (f"timm/MobileCLIP2-S{size}-OpenCLIP",) for size in (0, 2, 3, 4)},
  "MobileCLIP2-B": ("timm/MobileCLIP2-B-OpenCLIP",),
  "MobileCLIP2-L-14": ("timm/MobileCLIP2-L-14-OpenCLIP",),
  "EVA01-g-14": ("timm/eva_giant_patch14_clip_224.laion400m_s11b_b41k",),
  "EVA01-g-14-plus": ("timm/eva_giant_patch14_plus_clip_224.merged2b_s11b_b114k",),
  "EVA02-B-16": ("timm/eva02_base_patch16_clip_224.merged2b_s8b_b131k",),
  "EVA02-L-14": ("timm/eva02_large_patch14_clip_224.merged2b_s4b_b131k",),
  "EVA02-L-14-336": ("timm/eva02_large_patch14_clip_336.merged2b_s6b_b61k",),
  "EVA02-E-14": ("timm/eva02_enormous_patch14_clip_224.laion2b_s4b_b115k",),
  "EVA02-E-14-plus": ("timm/eva02_enormous_patch14_plus_clip_224.laion2b_s9b_b144k",),
  **{name: (f"timm/{name}",) for name in NAMED if name.startswith("PE-Core")},
}
