"""FastViT (Vasu et al., 2023, arXiv:2303.14189), MobileCLIP's image tower of convolutions."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.family import Sized, Tower, Trunk
from jaxbench.models.parts import branches
from jaxbench.models.parts.branches import Branches
from jaxbench.models.parts.gate import Gate
from jaxbench.models.parts.layers import (
  ACTIVATIONS,
  Conv,
  FrozenBatchNorm,
  LayerList,
  LayerNorm,
  Linear,
  Network,
  attend,
)
from jaxbench.models.weights.mapping import Renamings

_HEAD, _EPSILON = 32, 1e-5
_gelu = ACTIVATIONS["gelu"]


@dataclasses.dataclass(frozen=True)
class FastViTConfig:
  """What shapes the tower; S2 is (4, 12, 24, 4) blocks of (80, 160, 320, 640) channels."""

  depths: tuple[int, ...]  # Blocks per stage.
  widths: tuple[int, ...]  # Channels per stage.
  mlp_ratio: int = 3
  attending: int = 1  # So many of the last stages mix positions by attention.
  gated: int = 2  # So many of the last steps between stages have a gate.
  layer_norm: bool = False  # In front of attention, in place of a batch norm.
  stem_points: bool = True  # Whether the stem has branches of one pixel.


class Mixer(nnx.Module):
  """Each channel among its neighbours: the branches, less a batch norm, scaled and added."""

  def __init__(self, width: int, *, rngs: nnx.Rngs):
    self.branches = Branches(width, width, (3, 1), alone=True, skip=True, rngs=rngs)
    self.plain = FrozenBatchNorm(width)
    self.gamma = nnx.Param(jnp.full(width, 1e-5))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    kernel, bias = self.branches.folded()
    scale, shift = self.plain.affine()
    gamma = self.gamma[...].astype(jnp.float32)
    kernel = branches.add_scaled(kernel, -scale) * gamma.reshape(1, 1, 1, -1)
    kernel = branches.add_scaled(kernel, jnp.ones_like(gamma))
    return branches.run(x, (kernel, gamma * (bias - shift)), 1, len(gamma))


class Attention(nnx.Module):
  """All positions among each other, scaled and added."""

  def __init__(self, width: int, layer_norm: bool, *, rngs: nnx.Rngs):
    self.heads = width // _HEAD
    self.norm = LayerNorm(width, _EPSILON) if layer_norm else FrozenBatchNorm(width, _EPSILON)
    self.qkv = Linear(width, 3 * width, use_bias=False, rngs=rngs)
    self.proj = Linear(width, width, rngs=rngs)
    self.gamma = nnx.Param(jnp.full(width, 1e-5))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    query, key, value = jnp.split(self.qkv(self.norm(x)), 3, axis=-1)
    flat = [part.reshape(len(x), -1, x.shape[-1]) for part in (query, key, value)]
    mixed = attend(flat[0], flat[1], flat[2], self.heads).reshape(x.shape)
    return x + _scaled(self.gamma, self.proj(mixed))


class Block(nnx.Module):
  """A mixer; then a convolution of each channel and an MLP at each position, scaled and added."""

  def __init__(self, width: int, config: FastViTConfig, attends: bool, *, rngs: nnx.Rngs):
    layer_norm, middle = config.layer_norm, config.mlp_ratio * width
    self.mixer = Attention(width, layer_norm, rngs=rngs) if attends else Mixer(width, rngs=rngs)
    self.conv = Branches(width, width, (7,), alone=True, rngs=rngs)
    self.fc1, self.fc2 = Linear(width, middle, rngs=rngs), Linear(middle, width, rngs=rngs)
    self.gamma = nnx.Param(jnp.full(width, 1e-5))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    x = self.mixer(x)
    return x + _scaled(self.gamma, self.fc2(_gelu(self.fc1(self.conv(x)))))


class Step(nnx.Module):
  """Between two stages: a wide convolution of each channel halves the sides, then all mix."""

  def __init__(self, inputs: int, outputs: int, gated: bool, *, rngs: nnx.Rngs):
    self.wide = Branches(inputs, outputs, (7, 3), 2, alone=True, rngs=rngs)
    self.gate = Gate(outputs, outputs // 4, rngs=rngs) if gated else None
    self.point = Branches(outputs, outputs, (1,), skip=True, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / 2, W / 2, C']."""
    x = self.wide(x)
    return _gelu(self.point(_gelu(x if self.gate is None else self.gate(x))))


class FastViTTower(Network):
  """Stem, stages and a last convolution; the mean over positions, projected, is the image."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    vision: FastViTConfig = config.vision
    self.mean, self.std = config.mean, config.std
    widths, count = vision.widths, len(vision.widths)
    first, sizes = widths[0], (3, 1) if vision.stem_points else (3,)
    self.stem = LayerList(
      [
        Branches(3, first, sizes, 2, rngs=rngs),
        Branches(first, first, sizes, 2, alone=True, rngs=rngs),
        Branches(first, first, (1,), skip=True, rngs=rngs),
      ]
    )
    self.steps = LayerList(
      [
        Step(widths[i - 1], widths[i], i >= count - vision.gated, rngs=rngs)
        for i in range(1, count)
      ]
    )
    attends = [i >= count - vision.attending for i in range(count)]
    self.positions = LayerList(
      [
        Conv(width, width, 7, groups=width, use_bias=True, rngs=rngs)
        for width, wanted in zip(widths, attends, strict=True)
        if wanted
      ]
    )
    self.stages = LayerList(
      [
        LayerList([Block(widths[i], vision, attends[i], rngs=rngs) for _ in range(depth)])
        for i, depth in enumerate(vision.depths)
      ]
    )
    last = 2 * widths[-1]
    self.last = Branches(widths[-1], last, (3, 1), alone=True, rngs=rngs)
    self.gate = Gate(last, last // 16, rngs=rngs)
    self.fc = Linear(last, config.embed_dim, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> float32 [B, D]."""
    x = self.standardize(images, self.mean, self.std)
    for part in self.stem:
      x = _gelu(part(x))
    local = len(self.stages) - len(self.positions)
    for i, stage in enumerate(self.stages):
      x = self.steps[i - 1](x) if i else x
      x = x + self.positions[i - local](x) if i >= local else x
      for block in stage:
        x = block(x)
    x = _gelu(self.gate(self.last(x)))
    return self.fc(x.mean(axis=(1, 2))).astype(jnp.float32)


def _scaled(gamma: nnx.Param, x: jax.Array) -> jax.Array:
  return gamma[...].astype(x.dtype).reshape(1, 1, 1, -1) * x


def _layout(config: FastViTConfig) -> Renamings:
  count = len(config.widths)
  attending = range(count - config.attending, count)
  return (
    (r"^visual\.gate\.", "visual.last.se."),
    *((rf"^visual\.steps\.{i}\.", f"visual.stages.{i + 1}.downsample.") for i in range(count - 1)),
    *(
      (rf"^visual\.positions\.{i}\.", f"visual.stages.{stage}.pos_emb.pos_enc.")
      for i, stage in enumerate(attending)
    ),
    *(
      (rf"^visual\.stages\.{stage}\.(\d+)\.{ours}", rf"visual.stages.{stage}.\1.{theirs}")
      for stage in attending
      for ours, theirs in (
        (r"mixer\.norm\.", "norm."),
        (r"mixer\.gamma", "layer_scale_1.gamma"),
        ("gamma", "layer_scale_2.gamma"),
      )
    ),
    (r"^(visual\.stages\.\d+)\.(\d+)\.(?!blocks)", r"\1.blocks.\2."),
    (r"^(visual\..*\.\d+)\.gamma", r"\1.layer_scale.gamma"),
    (r"^(visual\..*\.)mixer\.branches\.", r"\1token_mixer.mixer."),
    (r"^(visual\..*\.)mixer\.plain\.", r"\1token_mixer.norm.identity."),
    (r"^(visual\..*\.)mixer\.gamma", r"\1token_mixer.layer_scale.gamma"),
    (r"^(visual\..*\.)mixer\.(qkv|proj)\.", r"\1token_mixer.\2."),
    (r"^(visual\..*blocks\.\d+)\.(conv|fc[12])\.", r"\1.mlp.\2."),
    (r"^(visual\..*mlp\.conv)\.convs\.0\.", r"\1.conv."),
    (r"^(visual\..*mlp\.conv)\.norms\.0\.", r"\1.bn."),
    (r"^(visual\..*downsample)\.gate\.", r"\1.proj.0.se."),
    *(
      (rf"^(visual\..*downsample)\.wide\.{ours}s\.{i}\.", rf"\1.proj.0.{name}_conv.{theirs}.")
      for i, name in enumerate(("large", "small"))
      for ours, theirs in (("conv", "conv"), ("norm", "bn"))
    ),
    (r"^(visual\..*downsample)\.point\.", r"\1.proj.1."),
    (r"^(visual\..*)\.convs\.0\.", r"\1.conv_kxk.0.conv."),
    (r"^(visual\..*)\.norms\.0\.", r"\1.conv_kxk.0.bn."),
    (r"^(visual\..*)\.convs\.1\.", r"\1.conv_scale.conv."),
    (r"^(visual\..*)\.norms\.1\.", r"\1.conv_scale.bn."),
    (r"^(visual\..*)\.skip\.", r"\1.identity."),
    (r"^visual\.last\.", "visual.final_conv."),
    (r"^visual\.fc\.", "visual.head.fc."),
    (r"^visual\.", "visual.trunk."),
  )


def _built(config: FastViTConfig, trunk: Trunk) -> FastViTConfig:
  trunk.require(pool=("avg",), projection=("",))
  return config


def _doubling(depths: tuple[int, ...], width: int, **options: Any) -> FastViTConfig:
  """Each stage doubles the width."""
  widths = tuple(width * 2**i for i in range(len(depths)))
  return FastViTConfig(depths, widths, **options)


_LARGE: dict[str, Any] = {"mlp_ratio": 4, "attending": 2, "gated": 0}
_LARGE |= {"layer_norm": True, "stem_points": False}
TOWER = Tower(
  config=FastViTConfig,
  module=FastViTTower,
  layout=_layout,
  timm={
    "fastvit_mci0": Sized(_doubling((2, 6, 10, 2), 64)),
    "fastvit_mci1": Sized(_doubling((4, 12, 20, 4), 64)),
    "fastvit_mci2": Sized(_doubling((4, 12, 24, 4), 80)),
    "fastvit_mci3": Sized(_doubling((2, 12, 24, 4, 2), 96, **_LARGE)),
    "fastvit_mci4": Sized(_doubling((2, 12, 24, 4, 4), 128, **_LARGE)),
  },
  built=_built,
)
