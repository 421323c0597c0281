"""Swin Transformer (Liu et al., 2021, arXiv:2103.14030)."""

import dataclasses
from typing import Any

import jax
from flax import nnx

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.swin_stages import (
  EPSILON,
  SIZES,
  UNREAD,
  Stages,
  SwinConfig,
  huggingface_layout,
  neighbours,
  sizes,
  timm_layout,
)
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.parts.layers import ACTIVATIONS, LayerNorm, Linear
from jaxbench.models.parts.window_attention import WindowAttention, Windows
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields

_RESIZED = {"t": 232, "s": 246, "b": 238, "l": 248}  # The short side, before a crop of 224.


class Block(nnx.Module):
  """Attention in windows, then an MLP, each behind its layer norm."""

  def __init__(self, width: int, heads: int, windows: Windows, *, rngs: nnx.Rngs):
    self.norm1, self.norm2 = LayerNorm(width, EPSILON), LayerNorm(width, EPSILON)
    self.attn = WindowAttention(width, heads, windows, rngs=rngs)
    self.fc1, self.fc2 = Linear(width, 4 * width, rngs=rngs), Linear(4 * width, width, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    x = x + self.attn(self.norm1(x))
    return x + self.fc2(ACTIVATIONS["gelu"](self.fc1(self.norm2(x))))


class Merge(nnx.Module):
  """Between two stages: four neighbours become one position, twice as wide."""

  def __init__(self, inputs: int, *, rngs: nnx.Rngs):
    self.norm = LayerNorm(4 * inputs, EPSILON)
    self.reduction = Linear(4 * inputs, 2 * inputs, use_bias=False, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / 2, W / 2, 2 C]."""
    return self.reduction(self.norm(neighbours(x)))


class Swin(Stages):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: SwinConfig, *, rngs: nnx.Rngs):
    super().__init__(
      config,
      lambda stage, width, heads, windows: Block(width, heads, windows, rngs=rngs),
      lambda width: Merge(width, rngs=rngs),
      rngs=rngs,
    )


def _torchvision(config: SwinConfig) -> Renamings:
  """Stages and the steps between them alternate."""
  stages = range(len(config.depths))
  return (
    (r"^conv1\.", "features.0.0."),
    (r"^norm_pre\.", "features.0.2."),
    *((rf"^stages\.{i}\.", f"features.{2 * i + 1}.") for i in stages),
    *((rf"^merges\.{i}\.", f"features.{2 * i + 2}.") for i in stages),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.3."),
    (r"bias_table$", "relative_position_bias_table"),
    (r"^fc\.", "head."),
  )


def _read(fields: Fields, images: Images) -> SwinConfig:
  """SwinForImageClassification."""
  return SwinConfig(**sizes(fields, images))


def _named() -> dict[str, SwinConfig]:
  """Torchvision's by its preprocessing; the rest by that of their authors, which timm has."""
  named = {}
  for size, (depths, heads, width) in SIZES.items():
    shape: dict[str, Any] = {"depths": depths, "heads": heads, "width": width}
    shown = imagenet(224, _RESIZED[size], "bicubic")
    named[f"swin_{size}"] = SwinConfig(**shape, window=7, **shown)
  for size in ("b", "l"):
    shown = imagenet(384, 384, "bicubic")
    named[f"swin_{size}_384"] = dataclasses.replace(named[f"swin_{size}"], window=12, **shown)
  return named


_NAMED = _named()
_PUBLISHED = {
  "swin_t": "tiny_patch4_window7_224",
  "swin_s": "small_patch4_window7_224",
  "swin_b": "base_patch4_window7_224",
  "swin_l": "large_patch4_window7_224",
  "swin_b_384": "base_patch4_window12_384",
  "swin_l_384": "large_patch4_window12_384",
}
FAMILY = Family(
  name="swin",
  config=SwinConfig,
  module=Swin,
  named=_NAMED,
  sources={
    name: (
      f"microsoft/swin-{theirs.replace('_', '-')}",
      f"timm/swin_{theirs}.ms_{'in22k_ft_in1k' if name[5] == 'l' else 'in1k'}",
    )
    for name, theirs in _PUBLISHED.items()
  },
  layouts=lambda config: {
    TORCHVISION: [_torchvision(config)],
    # Its authors' files, which timm reads as well, have a step at the end of a stage.
    TIMM: [timm_layout(config, 1, "head.fc."), timm_layout(config, 0, "head.")],
    HUGGINGFACE: [huggingface_layout("swin")],
  },
  lacks={TORCHVISION: ("swin_l", "swin_b_384", "swin_l_384")},
  transformers=Transformers(
    model_type="swin",
    processor="ViTImageProcessor",
    read=_read,
    unread=UNREAD,
  ),
  timm=Timm(names={f"swin_{theirs}": (name, {}) for name, theirs in _PUBLISHED.items()}),
)
