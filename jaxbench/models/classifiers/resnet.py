"""ResNet v1.5 (He et al., 2015, arXiv:1512.03385) and its kin; names follow torchvision's files.

ResNeXt (Xie et al., 2016, arXiv:1611.05431), wide ResNet (Zagoruyko and Komodakis, 2016,
arXiv:1605.07146) and ResNet-D (He et al., 2018, arXiv:1812.01187).
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.later import later
from jaxbench.models.parts.layers import Conv, FrozenBatchNorm, LayerList, Linear
from jaxbench.models.parts.pooling import average_pool, max_pool
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNetConfig(ClassifierConfig):
  """Everything that shapes a ResNet; ResNet-50 is depths (3, 4, 6, 3) of bottlenecks."""

  activation: ClassVar[str] = "relu"

  depths: tuple[int, ...]  # Blocks per stage.
  width: int = 64  # Channels of the first stage; each later stage doubles them.
  bottleneck: bool = False  # Blocks of 1x1, 3x3, 1x1 with four times the channels.
  groups: int = later(1)  # Of a bottleneck's 3x3: 32 in a ResNeXt-50 32x4d,
  group_width: int = later(64)  # and channels in each, of 64 of a stage: 4 there.
  deep: bool = later(False)  # ResNet-D: a stem of three 3x3, and pooled shortcuts.


class ConvNorm(nnx.Module):
  """A convolution and its norm."""

  def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, *, rngs: nnx.Rngs):
    self.conv = Conv(inputs, outputs, kernel, stride, rngs=rngs)
    self.bn = FrozenBatchNorm(outputs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    return self.bn(self.conv(x))


class PooledShortcut(ConvNorm):
  """The shortcut of a ResNet-D, which throws no pixel away."""

  def __init__(self, inputs: int, outputs: int, stride: int, *, rngs: nnx.Rngs):
    super().__init__(inputs, outputs, 1, 1, rngs=rngs)
    self.stride = stride

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    # Twice the last row of an odd height has the mean of the one row, which torch takes there.
    odd = [(0, 0), *((0, -side % self.stride) for side in x.shape[1:3]), (0, 0)]
    return super().__call__(average_pool(jnp.pad(x, odd, mode="edge"), self.stride))


def _shortcut(
  inputs: int, outputs: int, stride: int, deep: bool, rngs: nnx.Rngs
) -> ConvNorm | None:
  """Where a block changes the size."""
  if stride == 1 and inputs == outputs:
    return None
  if deep:
    return PooledShortcut(inputs, outputs, stride, rngs=rngs)
  return ConvNorm(inputs, outputs, 1, stride, rngs=rngs)


class BasicBlock(nnx.Module):
  """Two 3x3 convolutions and a shortcut."""

  expansion = 1

  def __init__(self, inputs: int, width: int, stride: int, config: ResNetConfig, *, rngs: nnx.Rngs):
    self.conv1, self.bn1 = Conv(inputs, width, 3, stride, rngs=rngs), FrozenBatchNorm(width)
    self.conv2, self.bn2 = Conv(width, width, 3, rngs=rngs), FrozenBatchNorm(width)
    self.downsample = _shortcut(inputs, width, stride, config.deep, rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, width]."""
    shortcut = x if self.downsample is None else self.downsample(x)
    x = jax.nn.relu(self.bn1(self.conv1(x)))
    return jax.nn.relu(self.bn2(self.conv2(x)) + shortcut)


class Bottleneck(nnx.Module):
  """1x1, 3x3 (which carries the stride: v1.5), 1x1, and a shortcut."""

  expansion = 4

  def __init__(self, inputs: int, width: int, stride: int, config: ResNetConfig, *, rngs: nnx.Rngs):
    outputs, groups = 4 * width, config.groups
    inner = width * config.group_width // 64 * groups
    self.conv1, self.bn1 = Conv(inputs, inner, 1, rngs=rngs), FrozenBatchNorm(inner)
    self.conv2 = Conv(inner, inner, 3, stride, groups=groups, rngs=rngs)
    self.bn2 = FrozenBatchNorm(inner)
    self.conv3, self.bn3 = Conv(inner, outputs, 1, rngs=rngs), FrozenBatchNorm(outputs)
    self.downsample = _shortcut(inputs, outputs, stride, config.deep, rngs)

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
    first, half = config.width, config.width // 2
    if config.deep:
      self.stem = LayerList(
        [ConvNorm(3, half, 3, 2, rngs=rngs), ConvNorm(half, half, 3, 1, rngs=rngs)]
      )
      self.conv1 = Conv(half, first, 3, rngs=rngs)
    else:
      self.stem, self.conv1 = LayerList([]), Conv(3, first, 7, 2, rngs=rngs)
    self.bn1 = FrozenBatchNorm(first)
    stages, inputs = [], config.width
    for stage, depth in enumerate(config.depths):
      width, stride = config.width * 2**stage, 1 if stage == 0 else 2
      outputs = width * block.expansion
      shapes = [(inputs, stride), *[(outputs, 1)] * (depth - 1)]
      blocks = [block(before, width, step, config, rngs=rngs) for before, step in shapes]
      stages.append(LayerList(blocks))
      inputs = outputs
    self.layers = LayerList(stages)
    self.fc = Linear(inputs, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    for layer in self.stem:
      x = jax.nn.relu(layer(x))
    x = max_pool(jax.nn.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
    for stage in self.layers:
      for block in stage:
        x = block(x)
    return self.fc(x.mean(axis=(1, 2)))


def _torch(config: ResNetConfig) -> Renamings:
  """Torchvision's names and timm's; what has no parameters is counted too."""
  deep = (
    (r"^conv1\.", "conv1.6."),
    *((rf"^stem\.{i}\.conv\.", f"conv1.{3 * i}.") for i in range(2)),
    *((rf"^stem\.{i}\.bn\.", f"conv1.{3 * i + 1}.") for i in range(2)),
  )
  return (
    *(deep if config.deep else ()),
    *((rf"^layers\.{i}\.", f"layer{i + 1}.") for i in range(4)),
    (r"downsample\.conv", f"downsample.{int(config.deep)}"),
    (r"downsample\.bn", f"downsample.{1 + config.deep}"),
  )


_HUGGINGFACE: Renamings = (
  (r"^conv1\.", "resnet.embedder.embedder.convolution."),
  (r"^bn1\.", "resnet.embedder.embedder.normalization."),
  (r"^layers\.(\d+)\.(\d+)\.", r"resnet.encoder.stages.\1.layers.\2."),
  (r"downsample\.conv", "shortcut.convolution"),
  (r"downsample\.bn", "shortcut.normalization"),
  *((rf"\.conv{i + 1}\.", f".layer.{i}.convolution.") for i in range(3)),
  *((rf"\.bn{i + 1}\.", f".layer.{i}.normalization.") for i in range(3)),
  (r"^fc\.", "classifier.1."),
)


def _read(fields: Fields, images: Images) -> ResNetConfig:
  """ResNetForImageClassification."""
  widths = fields.counts("hidden_sizes", [256, 512, 1024, 2048])
  bottleneck = fields.choose("layer_type", {"bottleneck": True, "basic": False}, "bottleneck")
  width = fields.count("embedding_size", 64)
  if fields.flag("downsample_in_bottleneck", False) or fields.flag(
    "downsample_in_first_stage", False
  ):
    raise fields.error("a ResNet with its strides elsewhere than v1.5 has them is not supported")
  fields.choose("hidden_act", {"relu": "relu"}, "relu")
  if widths != tuple(width * 2**i * (4 if bottleneck else 1) for i in range(len(widths))):
    raise fields.error(f"hidden_sizes {list(widths)} are not those of a ResNet v1.5")
  return ResNetConfig(
    depths=config_json.depths(fields, [3, 4, 6, 3], len(widths)),
    width=width,
    bottleneck=bottleneck,
    num_classes=config_json.classes(fields),
    **images._asdict(),
  )


# Depths, bottlenecks, and what else differs from a ResNet.
_SIZES: dict[str, tuple[tuple[int, ...], bool, dict[str, Any]]] = {
  "resnet18": ((2, 2, 2, 2), False, {}),
  "resnet26": ((2, 2, 2, 2), True, {}),
  "resnet34": ((3, 4, 6, 3), False, {}),
  "resnet50": ((3, 4, 6, 3), True, {}),
  "resnet101": ((3, 4, 23, 3), True, {}),
  "resnet152": ((3, 8, 36, 3), True, {}),
  "resnet18d": ((2, 2, 2, 2), False, {"deep": True}),
  "resnet26d": ((2, 2, 2, 2), True, {"deep": True}),
  "resnet34d": ((3, 4, 6, 3), False, {"deep": True}),
  "resnet50d": ((3, 4, 6, 3), True, {"deep": True}),
  "resnet101d": ((3, 4, 23, 3), True, {"deep": True}),
  "resnet152d": ((3, 8, 36, 3), True, {"deep": True}),
  "resnext50_32x4d": ((3, 4, 6, 3), True, {"groups": 32, "group_width": 4}),
  "resnext101_32x4d": ((3, 4, 23, 3), True, {"groups": 32, "group_width": 4}),
  "resnext101_32x8d": ((3, 4, 23, 3), True, {"groups": 32, "group_width": 8}),
  "resnext101_32x16d": ((3, 4, 23, 3), True, {"groups": 32, "group_width": 16}),
  "resnext101_64x4d": ((3, 4, 23, 3), True, {"groups": 64, "group_width": 4}),
  "wide_resnet50_2": ((3, 4, 6, 3), True, {"group_width": 128}),
  "wide_resnet101_2": ((3, 4, 23, 3), True, {"group_width": 128}),
}
# Those that torchvision lacks, and a set of timm's weights.
_ONLY_TIMM = {
  "resnet26": "bt_in1k",
  "resnet26d": "bt_in1k",
  **{f"resnet{depth}d": "ra2_in1k" for depth in (18, 34, 50, 101, 152)},
  "resnext101_32x4d": "gluon_in1k",
  "resnext101_32x16d": "fb_swsl_ig1b_ft_in1k",
}
_ONE_SET = ("resnet18", "resnet34", "resnext101_64x4d")  # Of torchvision's weights.


def _named() -> dict[str, ResNetConfig]:
  """By the preprocessing of torchvision's first weights, and of its second."""
  named = {}
  for name, (depths, bottleneck, others) in _SIZES.items():
    resize = 232 if name == "resnext101_64x4d" else 256
    sizes: dict[str, Any] = {"depths": depths, "bottleneck": bottleneck, **others}
    named[name] = ResNetConfig(**sizes, **imagenet(resize=resize))
    if name not in _ONE_SET and name not in _ONLY_TIMM:
      named[f"{name}-v2"] = dataclasses.replace(named[name], **imagenet(resize=232))
  return named


_NAMED = _named()
FAMILY = Family(
  name="resnet",
  config=ResNetConfig,
  module=ResNet,
  named=_NAMED,
  sources={name: (f"timm/{name}.{_ONLY_TIMM.get(name, 'tv_in1k')}",) for name in _SIZES}
  | {"resnet152": ("timm/resnet152.tv_in1k", "microsoft/resnet-152")},
  layouts=lambda config: {
    TORCHVISION: [_torch(config)],
    TIMM: [_torch(config)],
    HUGGINGFACE: [_HUGGINGFACE],
  },
  lacks={
    TORCHVISION: tuple(_ONLY_TIMM),
    # Its class has neither groups nor other widths and stems.
    HUGGINGFACE: tuple(
      name for name, config in _NAMED.items() if config.deep or config.group_width != 64
    ),
  },
  transformers=Transformers(
    model_type="resnet",
    processor="ConvNextImageProcessor",
    read=_read,
    # Its size is that of the image processor: no tensor depends on it.
    unread=Unread(config_json.COMMON | config_json.BACKBONE, config_json.IMAGE),
  ),
  timm=Timm(names={name: (name, {}) for name in _SIZES}),
)
