"""DINOv3's vision transformers (Siméoni et al., 2025, arXiv:2508.10104) with a classifier."""

import dataclasses
import math
from typing import Any

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.vit import ViT, ViTConfig
from jaxbench.models.family import TIMM, Family, Timm
from jaxbench.models.parts.rotary import Rotary
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.parts.vit_trunk import in_timm, timm_layouts


@dataclasses.dataclass(frozen=True, kw_only=True)
class DINOv3Config(ViTConfig):
  """Everything that shapes a DINOv3."""


def _tower(sizes: tuple[int, int, int, int], gated: bool, bias: str) -> TowerConfig:
  return TowerConfig(
    *sizes,
    activation="silu" if gated else "gelu",
    epsilon=1e-5,
    qkv_bias=bias,
    # From -1 to 1 along a side; a period of the first pair is 1.
    rotary=Rotary(4 * math.pi, temperature=100.0, offset=None, halves=True),
    layer_scale=True,
    gated_mlp=gated,
  )


def _named(sizes: tuple[int, int, int, int], gated: bool) -> DINOv3Config:
  return DINOv3Config(
    tower=_tower(sizes, gated, "none"),
    patch_size=16,
    registers=4,
    positions="none",
    pool="mean",
    **imagenet(256, interpolation="bicubic"),
  )


# timm's name, ours, width, layers, heads, width of the MLP, and whether it is gated.
_SIZES: tuple[tuple[str, str, tuple[int, int, int, int], bool], ...] = (
  ("small", "s", (384, 12, 6, 1536), False),
  ("small_plus", "s_plus", (384, 12, 6, 1536), True),
  ("base", "b", (768, 12, 12, 3072), False),
  ("large", "l", (1024, 24, 16, 4096), False),
  ("huge_plus", "h_plus", (1280, 32, 20, 5120), True),
  ("7b", "7b", (4096, 40, 32, 8192), True),
)


def _timm_names() -> dict[str, tuple[str, dict[str, Any]]]:
  """The smaller ones also with a bias of queries and values."""
  names: dict[str, tuple[str, dict[str, Any]]] = {}
  for theirs, ours, sizes, gated in _SIZES:
    name = f"dinov3_{ours}_16"
    names[f"vit_{theirs}_patch16_dinov3"] = (name, {})
    if theirs != "7b":
      tower = _tower(sizes, gated, "query_value")
      names[f"vit_{theirs}_patch16_dinov3_qkvb"] = (name, {"tower": tower})
  return names


FAMILY = Family(
  name="dinov3",
  config=DINOv3Config,
  module=ViT,
  named={f"dinov3_{ours}_16": _named(sizes, gated) for _, ours, sizes, gated in _SIZES},
  sources={},
  layouts=lambda config: {TIMM: timm_layouts(config)[1:3]},
  timm=Timm(
    names=_timm_names(),
    pools={"avg": {"pool": "mean"}, "token": {"pool": "token"}},
    built=in_timm,
  ),
)
