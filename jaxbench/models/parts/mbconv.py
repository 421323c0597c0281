"""Networks of MBConv blocks (Tan and Le, 2019, arXiv:1905.11946): EfficientNet and its kin."""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import jax
from flax import nnx

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig
from jaxbench.models.later import later
from jaxbench.models.parts.layers import Conv, FrozenBatchNorm, LayerList, Linear
from jaxbench.models.weights.mapping import Renamings

_ACTIVATIONS = {
  "silu": jax.nn.silu,
  "relu": jax.nn.relu,
  "relu6": jax.nn.relu6,
  "hard_swish": jax.nn.hard_swish,
}


@dataclasses.dataclass(frozen=True)
class Stage:
  """Blocks of one width."""

  depth: int
  channels: int
  kernel: int
  stride: int  # Of the first block.
  expand: int  # Channels inside a block, as a multiple of its input's.
  fused: bool = later(False)  # One convolution expands and looks around; no gate.
  projects: bool = later(False)  # Fused, whether another follows where it does not expand, too.


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


class Shape(NamedTuple):
  """What shapes one block."""

  inputs: int
  middle: int  # Channels inside.
  outputs: int
  kernel: int
  stride: int
  activation: str
  squeezed: int = 0  # Channels of its gate; 0 where it has none.
  hard: bool = False  # Whether the gate is MobileNetV3's, of straight lines.
  projects: bool = False  # See `Stage`.


class Manner(NamedTuple):
  """What TensorFlow's weights and torch's have different."""

  epsilon: float
  same_padding: bool

  @property
  def padding(self) -> str | None:
    """Of a convolution."""
    return "SAME" if self.same_padding else None


class SqueezeExcite(nnx.Module):
  """A gate per channel, from the mean over positions."""

  def __init__(self, channels: int, squeezed: int, hard: bool = False, *, rngs: nnx.Rngs):
    self.hard = hard
    self.reduce = Linear(channels, squeezed, rngs=rngs)
    self.expand = Linear(squeezed, channels, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    activate, gate = jax.nn.silu, jax.nn.sigmoid
    if self.hard:
      activate, gate = jax.nn.relu, jax.nn.hard_sigmoid
    open_ = gate(self.expand(activate(self.reduce(x.mean(axis=(1, 2))))))
    return x * open_[:, None, None]


class Block(nnx.Module):
  """Expand, convolve each channel, gate, project; the input is added where shapes allow."""

  def __init__(self, shape: Shape, manner: Manner, *, rngs: nnx.Rngs):
    inputs, middle, outputs, kernel, stride, self.activation, squeezed, hard, _ = shape
    self.residual = stride == 1 and inputs == outputs
    expands = middle != inputs
    self.expand = Conv(inputs, middle, 1, rngs=rngs) if expands else None
    self.expand_bn = FrozenBatchNorm(middle, manner.epsilon) if expands else None
    self.depthwise = Conv(
      middle, middle, kernel, stride, padding=manner.padding, groups=middle, rngs=rngs
    )
    self.depthwise_bn = FrozenBatchNorm(middle, manner.epsilon)
    self.se = SqueezeExcite(middle, squeezed, hard, rngs=rngs) if squeezed else None
    self.project = Conv(middle, outputs, 1, rngs=rngs)
    self.project_bn = FrozenBatchNorm(outputs, manner.epsilon)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    shortcut, activate = x, _ACTIVATIONS[self.activation]
    if self.expand is not None and self.expand_bn is not None:
      x = activate(self.expand_bn(self.expand(x)))
    x = activate(self.depthwise_bn(self.depthwise(x)))
    x = x if self.se is None else self.se(x)
    x = self.project_bn(self.project(x))
    return x + shortcut if self.residual else x


class FusedBlock(nnx.Module):
  """A convolution that expands and looks around, and a projection, mostly where it has expanded."""

  def __init__(self, shape: Shape, manner: Manner, *, rngs: nnx.Rngs):
    inputs, middle, outputs, kernel, stride, self.activation, *_ = shape
    self.residual = stride == 1 and inputs == outputs
    projects = middle != inputs or shape.projects
    wide = middle if projects else outputs
    self.fused = Conv(inputs, wide, kernel, stride, padding=manner.padding, rngs=rngs)
    self.fused_bn = FrozenBatchNorm(wide, manner.epsilon)
    self.project = Conv(wide, outputs, 1, rngs=rngs) if projects else None
    self.project_bn = FrozenBatchNorm(outputs, manner.epsilon) if projects else None

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    shortcut, x = x, _ACTIVATIONS[self.activation](self.fused_bn(self.fused(x)))
    if self.project is not None and self.project_bn is not None:
      x = self.project_bn(self.project(x))
    return x + shortcut if self.residual else x


class MBConvNet(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  config: MBConvNetConfig

  def __init__(self, config: MBConvNetConfig, *, rngs: nnx.Rngs):
    self.config = config
    manner = Manner(config.epsilon, config.same_padding)
    self.stem = Conv(3, config.stem, 3, 2, padding=manner.padding, rngs=rngs)
    self.stem_bn = FrozenBatchNorm(config.stem, config.epsilon)
    stages, inputs = [], config.stem
    for stage in config.stages:
      kind, shapes = FusedBlock if stage.fused else Block, _shapes(config, stage, inputs)
      stages.append(LayerList([kind(shape, manner, rngs=rngs) for shape in shapes]))
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


def _shapes(config: MBConvNetConfig, stage: Stage, inputs: int) -> list[Shape]:
  """Of the blocks of a stage."""
  steps = [(inputs, stage.stride), *[(stage.channels, 1)] * (stage.depth - 1)]
  gated = config.squeeze_excite and not stage.fused
  return [
    Shape(
      before,
      before * stage.expand,
      stage.channels,
      stage.kernel,
      stride,
      config.activation,
      max(1, before // 4) if gated else 0,
      projects=stage.projects,
    )
    for before, stride in steps
  ]


def timm_tensors(config: MBConvNetConfig) -> Renamings:
  """Names in timm, where a block that does not expand has its norms numbered otherwise."""
  renamings = []
  for i, stage in enumerate(config.stages):
    parts = {"expand": "conv_pw", "expand_bn": "bn1", "depthwise": "conv_dw"}
    parts |= {"depthwise_bn": "bn2", "project": "conv_pwl", "project_bn": "bn3"}
    if stage.fused:
      parts = {"fused": "conv_exp", "fused_bn": "bn1", "project": "conv_pwl", "project_bn": "bn2"}
      parts |= {"fused": "conv"} if stage.expand == 1 and not stage.projects else {}
    elif stage.expand == 1:
      parts = {"depthwise": "conv_dw", "depthwise_bn": "bn1", "project": "conv_pw"}
      parts |= {"project_bn": "bn2"}
    renamings += [
      (rf"^stages\.{i}\.(\d+)\.{part}\.", rf"blocks.{i}.\1.{place}.")
      for part, place in parts.items()
    ]
  return (
    (r"^stem\.", "conv_stem."),
    (r"^stem_bn\.", "bn1."),
    *renamings,
    (r"^stages\.(.*)\.se\.(reduce|expand)\.", r"blocks.\1.se.conv_\2."),
    (r"^head\.", "conv_head."),
    (r"^head_bn\.", "bn2."),
    (r"^fc\.", "classifier."),
  )


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


def round_channels(channels: float, divisor: int = 8, least: float = 0.9) -> int:
  """The nearest multiple of `divisor`, never below `least` of `channels`."""
  rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
  return rounded + divisor if rounded < least * channels else rounded


def scaled(
  stages: Sequence[Stage], width: float, depth: float, divisor: int = 8, least: float = 0.9
) -> tuple[Stage, ...]:
  """The stages of a wider and deeper network (section 3.3)."""
  return tuple(
    dataclasses.replace(
      stage,
      channels=round_channels(stage.channels * width, divisor, least),
      depth=math.ceil(stage.depth * depth),
    )
    for stage in stages
  )
