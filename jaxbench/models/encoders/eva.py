"""EVA and EVA-02 with a classifier (Fang et al., 2022 and 2023, arXiv:2211.07636, 2303.11331), the
image towers of EVA-CLIP (Sun et al., 2023, arXiv:2303.15389) and those of the Perception Encoder
(Bolya et al., 2025, arXiv:2504.13181): all of timm's Eva."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.vit import ViT, ViTConfig
from jaxbench.models.family import TIMM, Family, Sized, Timm, Tower, Trunk
from jaxbench.models.parts.layers import Linear
from jaxbench.models.parts.rotary import Rotary
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.parts.vit_trunk import ViTTrunk, ViTTrunkConfig, in_timm, timm_layouts
from jaxbench.models.weights.mapping import Renamings


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaConfig(ViTConfig):
  """Everything that shapes an EVA that classifies."""


class ViTTower(ViTTrunk):
  """A trunk of timm whose classifier projects into the space of the texts."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    super().__init__(config.vision, config.patch_size, config.preprocess.size, rngs=rngs)
    self.mean, self.std = config.mean, config.std
    self.fc = Linear(config.vision.tower.width, config.embed_dim, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> float32 [B, D]."""
    x = self.features(self.standardize(images, self.mean, self.std))
    return self.fc(x).astype(jnp.float32)


def _layout(config: ViTTrunkConfig) -> Renamings:
  """Of timm's names those with the bias of each and all layers split where they are gated."""
  layouts = timm_layouts(config, r"visual\.")
  named = layouts[0] if config.tower.qkv_bias == "all" else layouts[-1]
  return (*named, (r"^visual\.", "visual.trunk."))


def _built(config: ViTTrunkConfig, trunk: Trunk) -> ViTTrunkConfig:
  trunk.require(("map" if config.pool == "attention" else "token",), ("",))
  return config


def _eva(patch: int, size: int, tower: TowerConfig) -> Sized:
  return Sized(ViTTrunkConfig(tower=tower), patch, size)


def _pe(patch: int, size: int, sizes: tuple[int, int, int, int], class_token: bool = True) -> Sized:
  # Where there is a class token, it counts as the first patch of a row.
  offset = 1.0 if class_token else 0.0
  rotary = Rotary(reach=size // patch, offset=offset, columns_first=True)
  config = ViTTrunkConfig(
    tower=TowerConfig(*sizes, "gelu", 1e-5, rotary=rotary),
    class_token=class_token,
    pre_norm=True,
    pool="attention",
    pool_heads=8,
  )
  return Sized(config, patch, size)


# MobileCLIP's two that are transformers (Vasu et al., 2023, arXiv:2311.17049).
_MOBILE: dict[str, Sized] = {
  "vit_base_mci_224": Sized(
    ViTTrunkConfig(
      tower=TowerConfig(768, 12, 12, 3072, "gelu", 1e-6), positions="patches", stem=True
    ),
    16,
    224,
  ),
  "vit_large_patch14_clip_224": Sized(
    ViTTrunkConfig(tower=TowerConfig(1024, 24, 16, 4096, "gelu"), pre_norm=True), 14, 224
  ),
}
_LARGE = TowerConfig(1024, 24, 16, 4096, "gelu", 1e-6)
_GIANT = TowerConfig(1408, 40, 16, 6144, "gelu", 1e-6, qkv_bias="query_value")
_ENORMOUS = dataclasses.replace(_GIANT, width=1792, layers=64, mlp_width=15_360, post_norm=True)
_TINY2 = TowerConfig(
  width=192,
  layers=12,
  heads=3,
  mlp_width=512,
  activation="silu",
  epsilon=1e-6,
  qkv_bias="query_value",
  rotary=Rotary(reach=16),
  gated_mlp=True,
)
_SMALL2 = dataclasses.replace(_TINY2, width=384, heads=6, mlp_width=1024)
_BASE2 = dataclasses.replace(_TINY2, width=768, heads=12, mlp_width=2048, mlp_norm=True)
_LARGE2 = dataclasses.replace(_BASE2, width=1024, layers=24, heads=16, mlp_width=2730)
_BASE_CLIP, _LARGE_CLIP = (
  dataclasses.replace(tower, attention_norm=True) for tower in (_BASE2, _LARGE2)
)
TOWER = Tower(
  config=ViTTrunkConfig,
  module=ViTTower,
  layout=_layout,
  timm={
    "eva_giant_patch14_224": _eva(14, 224, _GIANT),
    "eva_giant_patch14_clip_224": _eva(14, 224, _GIANT),
    "eva02_base_patch16_clip_224": _eva(16, 224, _BASE_CLIP),
    "eva02_large_patch14_clip_224": _eva(14, 224, _LARGE_CLIP),
    "eva02_large_patch14_clip_336": _eva(14, 336, _LARGE_CLIP),
    "eva02_enormous_patch14_clip_224": _eva(14, 224, _ENORMOUS),
    "vit_pe_core_tiny_patch16_384": _pe(16, 384, (192, 12, 3, 768)),
    "vit_pe_core_small_patch16_384": _pe(16, 384, (384, 12, 6, 1536)),
    "vit_pe_core_base_patch16_224": _pe(16, 224, (768, 12, 12, 3072)),
    "vit_pe_core_large_patch14_336": _pe(14, 336, (1024, 24, 16, 4096)),
    "vit_pe_core_gigantic_patch14_448": _pe(14, 448, (1536, 50, 16, 8960), class_token=False),
    **_MOBILE,
  },
  built=_built,
)


def _named(tower: TowerConfig) -> EvaConfig:
  images = imagenet(224, 224, "bicubic")
  return EvaConfig(tower=tower, patch_size=14, pool="mean", norm_of_mean=True, **images)


FAMILY = Family(
  name="eva",
  config=EvaConfig,
  module=ViT,
  named={
    "eva_l_14": _named(_LARGE),
    "eva_g_14": _named(_GIANT),
    "eva02_ti_14": _named(_TINY2),
    "eva02_s_14": _named(_SMALL2),
    "eva02_b_14": _named(_BASE2),
    "eva02_l_14": _named(_LARGE2),
  },
  sources={
    "eva_l_14": ("timm/eva_large_patch14_336.in22k_ft_in22k_in1k",),
    "eva_g_14": ("timm/eva_giant_patch14_336.m30m_ft_in22k_in1k",),
    "eva02_ti_14": ("timm/eva02_tiny_patch14_336.mim_in22k_ft_in1k",),
    "eva02_s_14": ("timm/eva02_small_patch14_336.mim_in22k_ft_in1k",),
    "eva02_b_14": ("timm/eva02_base_patch14_448.mim_in22k_ft_in22k_in1k",),
    "eva02_l_14": ("timm/eva02_large_patch14_448.mim_m38m_ft_in22k_in1k",),
  },
  layouts=lambda config: {TIMM: timm_layouts(config)},
  timm=Timm(
    names={
      f"{kind}_{theirs}_patch14_{size}": (f"{kind}_{ours}_14", {})
      for kind, theirs, ours, sizes in (
        ("eva", "large", "l", (196, 336)),
        ("eva", "giant", "g", (224, 336, 560)),
        ("eva02", "tiny", "ti", (224, 336)),
        ("eva02", "small", "s", (224, 336)),
        ("eva02", "base", "b", (224, 448)),
        ("eva02", "large", "l", (224, 448)),
      )
      for size in sizes
    },
    pools={
      "avg": {"pool": "mean", "norm_of_mean": True},
      "token": {"pool": "token", "norm_of_mean": False},
    },
    built=in_timm,
  ),
)
