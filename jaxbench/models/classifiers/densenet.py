"""DenseNet (Huang et al., 2016, arXiv:1608.06993)."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import TIMM, TORCHVISION, Family, Timm
from jaxbench.models.parts.layers import Conv, FrozenBatchNorm, LayerList, Linear
from jaxbench.models.parts.pooling import average_pool, max_pool
from jaxbench.models.weights.mapping import Renamings


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenseNetConfig(ClassifierConfig):
  """Everything that shapes a DenseNet; 121 is (6, 12, 24, 16) layers of 32 channels."""

  activation: ClassVar[str] = "relu"

  depths: tuple[int, ...]  # Layers per block.
  growth: int  # Channels that each layer adds.


class Layer(nnx.Module):
  """Of all channels so far, a few more."""

  def __init__(self, inputs: int, growth: int, *, rngs: nnx.Rngs):
    self.norm1, self.conv1 = FrozenBatchNorm(inputs), Conv(inputs, 4 * growth, 1, rngs=rngs)
    self.norm2, self.conv2 = FrozenBatchNorm(4 * growth), Conv(4 * growth, growth, 3, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H, W, C + growth]."""
    new = self.conv1(jax.nn.relu(self.norm1(x)))
    new = self.conv2(jax.nn.relu(self.norm2(new)))
    return jnp.concatenate([x, new], axis=-1)


class Transition(nnx.Module):
  """Between two blocks: half the channels, half the size."""

  def __init__(self, inputs: int, *, rngs: nnx.Rngs):
    self.norm, self.conv = FrozenBatchNorm(inputs), Conv(inputs, inputs // 2, 1, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / 2, W / 2, C / 2]."""
    return average_pool(self.conv(jax.nn.relu(self.norm(x))), 2)


class DenseNet(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: DenseNetConfig, *, rngs: nnx.Rngs):
    self.config, channels = config, 2 * config.growth
    self.conv0, self.norm0 = Conv(3, channels, 7, 2, rngs=rngs), FrozenBatchNorm(channels)
    blocks, transitions = [], []
    for index, depth in enumerate(config.depths):
      if index:
        transitions.append(Transition(channels, rngs=rngs))
        channels //= 2
      layers = [Layer(channels + i * config.growth, config.growth, rngs=rngs) for i in range(depth)]
      blocks.append(LayerList(layers))
      channels += depth * config.growth
    self.blocks, self.transitions = LayerList(blocks), LayerList(transitions)
    self.norm5 = FrozenBatchNorm(channels)
    self.fc = Linear(channels, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = max_pool(jax.nn.relu(self.norm0(self.conv0(x))), 3, 2, padding=1)
    for index, block in enumerate(self.blocks):
      x = self.transitions[index - 1](x) if index else x
      for layer in block:
        x = layer(x)
    return self.fc(jax.nn.relu(self.norm5(x)).mean(axis=(1, 2)))


def _tensors(config: DenseNetConfig) -> Renamings:
  """Torchvision and timm count from 1."""
  layers = [(i, j) for i, depth in enumerate(config.depths) for j in range(depth)]
  return (
    *(
      (rf"^blocks\.{i}\.{j}\.", f"features.denseblock{i + 1}.denselayer{j + 1}.") for i, j in layers
    ),
    *((rf"^transitions\.{i}\.", f"features.transition{i + 1}.") for i in range(len(config.depths))),
    (r"^(conv0|norm0|norm5)\.", r"features.\1."),
    (r"^fc\.", "classifier."),
  )


_SIZES = {
  "densenet121": ((6, 12, 24, 16), 32),
  "densenet161": ((6, 12, 36, 24), 48),
  "densenet169": ((6, 12, 32, 32), 32),
  "densenet201": ((6, 12, 48, 32), 32),
}
# In torchvision's files a layer's parts have a dot before their number, which it takes away.
_DOTTED: Renamings = ((r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2."),)
_NAMED = {
  name: DenseNetConfig(depths=depths, growth=growth, **imagenet())
  for name, (depths, growth) in _SIZES.items()
}
FAMILY = Family(
  name="densenet",
  config=DenseNetConfig,
  module=DenseNet,
  named=_NAMED,
  sources={name: (f"timm/{name}.tv_in1k",) for name in _NAMED},
  layouts=lambda config: {
    TORCHVISION: [_tensors(config), (*_tensors(config), *_DOTTED)],
    TIMM: [_tensors(config), (*_tensors(config), *_DOTTED)],
  },
  timm=Timm(names={name: (name, {}) for name in _NAMED}),
)
