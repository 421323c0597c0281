"""ResNet v1.5 (He et al., 2015, arXiv:1512.03385); names follow torchvision's checkpoints."""

import dataclasses

import jax
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig
from jaxbench.models.layers import Conv, FrozenBatchNorm, LayerList, Linear, max_pool


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNetConfig(ClassifierConfig):
  """Everything that shapes a ResNet; ResNet-50 is depths (3, 4, 6, 3) of bottlenecks."""

  depths: tuple[int, ...]  # Blocks per stage.
  width: int = 64  # Channels of the first stage; each later stage doubles them.
  bottleneck: bool = False  # Blocks of 1x1, 3x3, 1x1 with four times the channels.


class Downsample(nnx.Module):
  """The shortcut where a stage changes size."""

  def __init__(self, inputs: int, outputs: int, stride: int, *, rngs: nnx.Rngs):
    self.conv = Conv(inputs, outputs, 1, stride, rngs=rngs)
    self.bn = FrozenBatchNorm(outputs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    return self.bn(self.conv(x))


class BasicBlock(nnx.Module):
  """Two 3x3 convolutions and a shortcut."""

  expansion = 1

  def __init__(self, inputs: int, width: int, stride: int, *, rngs: nnx.Rngs):
    self.conv1, self.bn1 = Conv(inputs, width, 3, stride, rngs=rngs), FrozenBatchNorm(width)
    self.conv2, self.bn2 = Conv(width, width, 3, rngs=rngs), FrozenBatchNorm(width)
    changes = stride != 1 or inputs != width
    self.downsample = Downsample(inputs, width, stride, rngs=rngs) if changes else None

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, width]."""
    shortcut = x if self.downsample is None else self.downsample(x)
    x = jax.nn.relu(self.bn1(self.conv1(x)))
    return jax.nn.relu(self.bn2(self.conv2(x)) + shortcut)


class Bottleneck(nnx.Module):
  """1x1, 3x3 (which carries the stride: v1.5), 1x1, and a shortcut."""

  expansion = 4

  def __init__(self, inputs: int, width: int, stride: int, *, rngs: nnx.Rngs):
    outputs = 4 * width
    self.conv1, self.bn1 = Conv(inputs, width, 1, rngs=rngs), FrozenBatchNorm(width)
    self.conv2, self.bn2 = Conv(width, width, 3, stride, rngs=rngs), FrozenBatchNorm(width)
    self.conv3, self.bn3 = Conv(width, outputs, 1, rngs=rngs), FrozenBatchNorm(outputs)
    changes = stride != 1 or inputs != outputs
    self.downsample = Downsample(inputs, outputs, stride, rngs=rngs) if changes else None

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, 4 * width]."""
    shortcut = x if self.downsample is None else self.downsample(x)
    x = jax.nn.relu(self.bn1(self.conv1(x)))
    x = jax.nn.relu(self.bn2(self.conv2(x)))
    return jax.nn.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K].

  Example:
    >>> models.load("digits-resnet")(jnp.zeros((1, 32, 32, 3))).shape
    (1, 10)
  """

  def __init__(self, config: ResNetConfig, *, rngs: nnx.Rngs):
    self.config = config
    block = Bottleneck if config.bottleneck else BasicBlock
    self.conv1, self.bn1 = Conv(3, config.width, 7, 2, rngs=rngs), FrozenBatchNorm(config.width)
    stages, inputs = [], config.width
    for stage, depth in enumerate(config.depths):
      width, stride = config.width * 2**stage, 1 if stage == 0 else 2
      outputs = width * block.expansion
      first = block(inputs, width, stride, rngs=rngs)
      rest = [block(outputs, width, 1, rngs=rngs) for _ in range(depth - 1)]
      stages.append(LayerList([first, *rest]))
      inputs = outputs
    self.layers = LayerList(stages)
    self.fc = Linear(inputs, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = max_pool(jax.nn.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
    for stage in self.layers:
      for block in stage:
        x = block(x)
    return self.fc(x.mean(axis=(1, 2)))
