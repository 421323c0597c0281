"""ViTamin (Chen et al., 2024, arXiv:2404.02132): two stages of convolutions, then a transformer."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.family import Sized, Tower, Trunk
from jaxbench.models.parts.layers import ACTIVATIONS, Conv, LayerList, LayerNorm, Linear, Network
from jaxbench.models.parts.transformer import TowerConfig, Transformer
from jaxbench.models.weights.mapping import Renamings

_EPSILON, _PATCH = 1e-6, 16  # The convolutions halve images four times.


@dataclasses.dataclass(frozen=True)
class ViTaminConfig:
  """What shapes the image tower; L is (160, 320) channels and 31 layers of 1024."""

  tower: TowerConfig
  channels: tuple[int, int]  # Of the stages of convolutions.
  depths: tuple[int, int] = (2, 4)  # Blocks in each.
  positions: bool = True  # Whether patches have an embedding of their place.
  bias: bool = False  # Of the projection.


class Block(nnx.Module):
  """A layer norm and three convolutions, in the middle four times as wide and one per channel."""

  def __init__(self, inputs: int, outputs: int, stride: int, *, rngs: nnx.Rngs):
    middle, self.stride = 4 * outputs, stride
    changes = inputs != outputs
    self.expand = Conv(inputs, outputs, 1, use_bias=True, rngs=rngs) if changes else None
    self.norm = LayerNorm(inputs, _EPSILON)
    self.conv1 = Conv(inputs, middle, 1, use_bias=True, rngs=rngs)
    self.conv2 = Conv(middle, middle, 3, stride, groups=middle, use_bias=True, rngs=rngs)
    self.conv3 = Conv(middle, outputs, 1, use_bias=True, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    y = ACTIVATIONS["gelu"](self.conv1(self.norm(x)))
    y = self.conv3(ACTIVATIONS["gelu"](self.conv2(y)))
    if self.stride > 1:
      around = ((1, 1), (1, 1))
      x = nnx.avg_pool(x, (3, 3), (2, 2), around, count_include_pad=False)
    return y + (x if self.expand is None else self.expand(x))


class ViTaminTower(Network):
  """Convolutions, the transformer; the mean over positions, normed and projected, is the image."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    vision: ViTaminConfig = config.vision
    self.mean, self.std = config.mean, config.std
    width, inputs = vision.tower.width, vision.channels[0]
    self.stem1 = Conv(3, inputs, 3, 2, use_bias=True, rngs=rngs)
    self.stem_norm = LayerNorm(inputs, _EPSILON)
    self.stem2 = Conv(inputs, inputs, 3, use_bias=True, rngs=rngs)
    stages = []
    for channels, depth in zip(vision.channels, vision.depths, strict=True):
      first = Block(inputs, channels, 2, rngs=rngs)
      rest = [Block(channels, channels, 1, rngs=rngs) for _ in range(depth - 1)]
      stages.append(LayerList([first, *rest]))
      inputs = channels
    self.stages = LayerList(stages)
    self.patch_norm = LayerNorm(inputs, _EPSILON)
    self.patches = Conv(inputs, width, 3, 2, use_bias=True, rngs=rngs)
    places = (config.preprocess.size // _PATCH) ** 2
    table = 0.02 * jax.random.normal(rngs.params(), (places, width))
    self.positional_embedding = nnx.Param(table) if vision.positions else None
    self.transformer = Transformer(vision.tower, prefix=0, rngs=rngs)
    self.ln_post = LayerNorm(width, _EPSILON)
    self.proj = Linear(width, config.embed_dim, use_bias=vision.bias, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> float32 [B, D]."""
    x = self.stem1(self.standardize(images, self.mean, self.std))
    x = self.stem2(ACTIVATIONS["gelu"](self.stem_norm(x)))
    for stage in self.stages:
      for block in stage:
        x = block(x)
    x = self.patches(self.patch_norm(x))
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    if self.positional_embedding is not None:
      x = x + self.positional_embedding[...].astype(x.dtype)[None]
    x = self.ln_post(self.transformer(x).mean(axis=1))
    return self.proj(x).astype(jnp.float32)


_BACKBONE = "visual.patch_embed.backbone"
_OPEN_CLIP: Renamings = (
  (r"^visual\.stem([12])\.", rf"{_BACKBONE}.stem.conv\1."),
  (r"^visual\.stem_norm\.", f"{_BACKBONE}.stem.norm1."),
  (r"^visual\.stages\.", f"{_BACKBONE}.stages."),
  (r"(\.stages\.\d+\.\d+)\.expand\.", r"\1.shortcut.expand."),
  (r"(\.stages\.\d+\.\d+)\.norm\.", r"\1.pre_norm."),
  (r"(\.stages\.\d+\.\d+)\.conv([13])\.", r"\1.conv\2_1x1."),
  (r"(\.stages\.\d+\.\d+)\.conv2\.", r"\1.conv2_kxk."),
  (r"^visual\.patch_norm\.", f"{_BACKBONE}.pool.norm."),
  (r"^visual\.patches\.", f"{_BACKBONE}.pool.proj."),
  (r"^visual\.positional_embedding", "visual.pos_embed"),
  (r"^visual\.transformer\.resblocks", "visual.blocks"),
  (r"^(visual\.blocks.*)ln_([12])\.", r"\1norm\2."),
  (r"^(visual\.blocks.*)attn\.in_proj", r"\1attn.qkv"),
  (r"^(visual\.blocks.*)attn\.out_proj", r"\1attn.proj"),
  (r"^(visual\.blocks.*)mlp\.input_norm", r"\1mlp.norm"),
  (r"^(visual\.blocks.*)mlp\.c_fc", r"\1mlp.{w0,w1}"),
  (r"^(visual\.blocks.*)mlp\.c_proj", r"\1mlp.w2"),
  (r"^visual\.ln_post", "visual.fc_norm"),
  (r"^visual\.proj\.", "visual.head.proj."),
  (r"^visual\.(?!head\.)", "visual.trunk."),
)


def _built(config: ViTaminConfig, trunk: Trunk) -> ViTaminConfig:
  trunk.require(pool=("", "avg"), projection=("linear",))
  return dataclasses.replace(config, bias=trunk.bias)


def _sized(width: int, layers: int, heads: int, channels: int, **options: Any) -> ViTaminConfig:
  tower = TowerConfig(
    *(width, layers, heads, 2 * width, "gelu", _EPSILON), gated_mlp=True, mlp_input_norm=True
  )
  return ViTaminConfig(tower, (channels, 2 * channels), **options)


_LARGE = _sized(1024, 31, 16, 160)
_XLARGE = _sized(1152, 32, 16, 192, positions=False)
TOWER = Tower(
  config=ViTaminConfig,
  module=ViTaminTower,
  layout=lambda config: _OPEN_CLIP,
  timm={
    "vitamin_small_224": Sized(_sized(384, 14, 6, 64), _PATCH, 224),
    "vitamin_base_224": Sized(_sized(768, 14, 12, 128), _PATCH, 224),
    **{
      f"vitamin_{name}_{size}": Sized(config, _PATCH, size if config.positions else None)
      for name, config, sizes in (
        ("large", _LARGE, (224, 256, 336, 384)),
        ("large2", _LARGE, (224, 256, 336, 384)),
        ("xlarge", _XLARGE, (256, 336, 384)),
      )
      for size in sizes
    },
  },
  built=_built,
)
