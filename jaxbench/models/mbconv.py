"""Networks of MBConv blocks (Tan and Le, 2019, arXiv:1905.11946): EfficientNet and its kin."""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import jax
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig
from jaxbench.models.layers import Conv, FrozenBatchNorm, LayerList, Linear

_ACTIVATIONS = {"silu": jax.nn.silu, "relu6": jax.nn.relu6}


@dataclasses.dataclass(frozen=True)
class Stage:
  """Blocks of one width."""

  depth: int
  channels: int
  kernel: int
  stride: int  # Of the first block.
  expand: int  # Channels inside a block, as a multiple of its input's.


@dataclasses.dataclass(frozen=True, kw_only=True)
class MBConvNetConfig(ClassifierConfig):
  """Everything that shapes a network, after scaling."""

  activation: ClassVar[str]  # A key of `_ACTIVATIONS`.
  squeeze_excite: ClassVar[bool]

  stem: int  # Channels of the first convolution.
  stages: tuple[Stage, ...]
  head: int  # Channels of the last convolution.
  epsilon: float  # Of batch norm: 1e-3 in TensorFlow's weights, 1e-5 in torch's.
  same_padding: bool  # As TensorFlow pads: one more on the right and below.


class SqueezeExcite(nnx.Module):
  """A gate per channel, from the mean over positions."""

  def __init__(self, channels: int, squeezed: int, *, rngs: nnx.Rngs):
    self.reduce = Linear(channels, squeezed, rngs=rngs)
    self.expand = Linear(squeezed, channels, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    gate = self.expand(jax.nn.silu(self.reduce(x.mean(axis=(1, 2)))))
    return x * jax.nn.sigmoid(gate)[:, None, None]


class Block(nnx.Module):
  """Expand, convolve each channel, gate, project; the input is added where shapes allow."""

  def __init__(
    self, inputs: int, stage: Stage, stride: int, config: MBConvNetConfig, *, rngs: nnx.Rngs
  ):
    middle, epsilon = inputs * stage.expand, config.epsilon
    self.activation = config.activation
    padding = "SAME" if config.same_padding else None
    self.residual = stride == 1 and inputs == stage.channels
    self.expand = Conv(inputs, middle, 1, rngs=rngs) if stage.expand != 1 else None
    self.expand_bn = FrozenBatchNorm(middle, epsilon) if stage.expand != 1 else None
    self.depthwise = Conv(
      middle, middle, stage.kernel, stride, padding=padding, groups=middle, rngs=rngs
    )
    self.depthwise_bn = FrozenBatchNorm(middle, epsilon)
    squeezed = max(1, inputs // 4)
    self.se = SqueezeExcite(middle, squeezed, rngs=rngs) if config.squeeze_excite else None
    self.project = Conv(middle, stage.channels, 1, rngs=rngs)
    self.project_bn = FrozenBatchNorm(stage.channels, epsilon)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    shortcut, activate = x, _ACTIVATIONS[self.activation]
    if self.expand is not None and self.expand_bn is not None:
      x = activate(self.expand_bn(self.expand(x)))
    x = activate(self.depthwise_bn(self.depthwise(x)))
    x = x if self.se is None else self.se(x)
    x = self.project_bn(self.project(x))
    return x + shortcut if self.residual else x


class MBConvNet(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  config: MBConvNetConfig

  def __init__(self, config: MBConvNetConfig, *, rngs: nnx.Rngs):
    self.config = config
    padding = "SAME" if config.same_padding else None
    self.stem = Conv(3, config.stem, 3, 2, padding=padding, rngs=rngs)
    self.stem_bn = FrozenBatchNorm(config.stem, config.epsilon)
    stages, inputs = [], config.stem
    for stage in config.stages:
      first = Block(inputs, stage, stage.stride, config, rngs=rngs)
      rest = [Block(stage.channels, stage, 1, config, rngs=rngs) for _ in range(stage.depth - 1)]
      stages.append(LayerList([first, *rest]))
      inputs = stage.channels
    self.stages = LayerList(stages)
    self.head = Conv(inputs, config.head, 1, rngs=rngs)
    self.head_bn = FrozenBatchNorm(config.head, config.epsilon)
    self.fc = Linear(config.head, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    activate = _ACTIVATIONS[self.config.activation]
    x = activate(self.stem_bn(self.stem(x)))
    for stage in self.stages:
      for block in stage:
        x = block(x)
    x = activate(self.head_bn(self.head(x)))
    return self.fc(x.mean(axis=(1, 2)))


# (depth, channels, kernel, stride, expand) of B0, before scaling: table 1.
B0 = (
  Stage(1, 16, 3, 1, 1),
  Stage(2, 24, 3, 2, 6),
  Stage(2, 40, 5, 2, 6),
  Stage(3, 80, 3, 2, 6),
  Stage(3, 112, 5, 1, 6),
  Stage(4, 192, 5, 2, 6),
  Stage(1, 320, 3, 1, 6),
)


def round_channels(channels: float, divisor: int = 8) -> int:
  """The nearest multiple of `divisor`, never below 90 % of `channels`."""
  rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
  return rounded + divisor if rounded < 0.9 * channels else rounded


def scaled(
  stages: Sequence[Stage], width: float, depth: float, divisor: int = 8
) -> tuple[Stage, ...]:
  """The stages of a wider and deeper network (section 3.3)."""
  return tuple(
    dataclasses.replace(
      stage,
      channels=round_channels(stage.channels * width, divisor),
      depth=math.ceil(stage.depth * depth),
    )
    for stage in stages
  )
