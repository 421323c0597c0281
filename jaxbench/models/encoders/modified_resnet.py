"""CLIP's ResNet: three-layer stem, anti-aliased strides, attention pooling (CLIP, section 2.4)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.family import Tower
from jaxbench.models.parts.layers import (
  Conv,
  FrozenBatchNorm,
  LayerList,
  Linear,
  Network,
  attend,
)
from jaxbench.models.parts.pooling import average_pool
from jaxbench.models.weights.mapping import Renamings


@dataclasses.dataclass(frozen=True)
class ModifiedResNetConfig:
  """What shapes the image tower; RN50 is (3, 4, 6, 3), 64, 32."""

  depths: tuple[int, ...]  # Blocks per stage.
  width: int  # Channels of the first stage before expansion.
  heads: int  # Of the attention pooling.


class Downsample(nnx.Module):
  """The shortcut where a stage changes size: average pooling, then a 1x1 convolution."""

  def __init__(self, inputs: int, outputs: int, stride: int, *, rngs: nnx.Rngs):
    self.stride = stride
    self.conv = Conv(inputs, outputs, 1, rngs=rngs)
    self.bn = FrozenBatchNorm(outputs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    return self.bn(self.conv(x if self.stride == 1 else average_pool(x, self.stride)))


class Bottleneck(nnx.Module):
  """1x1, 3x3, average pooling in place of a stride, 1x1, and a shortcut."""

  def __init__(self, inputs: int, width: int, stride: int, *, rngs: nnx.Rngs):
    self.stride = stride
    self.conv1, self.bn1 = Conv(inputs, width, 1, rngs=rngs), FrozenBatchNorm(width)
    self.conv2, self.bn2 = Conv(width, width, 3, rngs=rngs), FrozenBatchNorm(width)
    self.conv3, self.bn3 = Conv(width, 4 * width, 1, rngs=rngs), FrozenBatchNorm(4 * width)
    changes = stride > 1 or inputs != 4 * width
    self.downsample = Downsample(inputs, 4 * width, stride, rngs=rngs) if changes else None

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, 4 * width]."""
    shortcut = x if self.downsample is None else self.downsample(x)
    x = jax.nn.relu(self.bn1(self.conv1(x)))
    x = jax.nn.relu(self.bn2(self.conv2(x)))
    x = x if self.stride == 1 else average_pool(x, self.stride)
    return jax.nn.relu(self.bn3(self.conv3(x)) + shortcut)


class AttentionPool(nnx.Module):
  """The mean over positions asks; the positions and the mean itself answer."""

  def __init__(self, width: int, heads: int, positions: int, outputs: int, *, rngs: nnx.Rngs):
    self.heads = heads
    self.positional_embedding = nnx.Param(
      width**-0.5 * jax.random.normal(rngs.params(), (positions + 1, width))
    )
    self.q_proj = Linear(width, width, rngs=rngs)
    self.k_proj = Linear(width, width, rngs=rngs)
    self.v_proj = Linear(width, width, rngs=rngs)
    self.c_proj = Linear(width, outputs, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, D]."""
    batch, width = x.shape[0], x.shape[-1]
    x = x.reshape(batch, -1, width)
    x = jnp.concatenate([x.mean(axis=1, keepdims=True), x], axis=1)
    x = x + self.positional_embedding[...].astype(x.dtype)[None]
    pooled = attend(self.q_proj(x[:, :1]), self.k_proj(x), self.v_proj(x), self.heads)
    return self.c_proj(pooled[:, 0])


class ModifiedResNet(Network):
  """The image tower of CLIP's RN50 and its larger kin."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    self.mean, self.std, tower = config.mean, config.std, config.vision
    half, width = tower.width // 2, tower.width
    self.conv1, self.bn1 = Conv(3, half, 3, 2, rngs=rngs), FrozenBatchNorm(half)
    self.conv2, self.bn2 = Conv(half, half, 3, rngs=rngs), FrozenBatchNorm(half)
    self.conv3, self.bn3 = Conv(half, width, 3, rngs=rngs), FrozenBatchNorm(width)
    stages, inputs = [], width
    for stage, depth in enumerate(tower.depths):
      wide, stride = width * 2**stage, 1 if stage == 0 else 2
      first = Bottleneck(inputs, wide, stride, rngs=rngs)
      rest = [Bottleneck(4 * wide, wide, 1, rngs=rngs) for _ in range(depth - 1)]
      stages.append(LayerList([first, *rest]))
      inputs = 4 * wide
    self.layers = LayerList(stages)
    positions = (config.preprocess.size // 2 ** (1 + len(tower.depths))) ** 2
    self.attnpool = AttentionPool(inputs, tower.heads, positions, config.embed_dim, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> float32 [B, D]."""
    x = self.standardize(images, self.mean, self.std)
    for conv, bn in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
      x = jax.nn.relu(bn(conv(x)))
    x = average_pool(x, 2)
    for stage in self.layers:
      for block in stage:
        x = block(x)
    return self.attnpool(x).astype(jnp.float32)


# OpenAI's names, which open_clip keeps.
_OPENAI: Renamings = (
  *((rf"^visual\.layers\.{i}\.", f"visual.layer{i + 1}.") for i in range(4)),
  (r"downsample\.conv", "downsample.0"),
  (r"downsample\.bn", "downsample.1"),
)
TOWER = Tower(config=ModifiedResNetConfig, module=ModifiedResNet, layout=lambda config: _OPENAI)
