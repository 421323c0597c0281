"""ResNet v1.5 (He et al., 2015, arXiv:1512.03385); names follow torchvision's checkpoints."""

import dataclasses

import jax
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.layers import Conv, FrozenBatchNorm, LayerList, Linear, max_pool
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread


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


_TORCHVISION: Renamings = (
  *((rf"^layers\.{i}\.", f"layer{i + 1}.") for i in range(4)),
  (r"downsample\.conv", "downsample.0"),
  (r"downsample\.bn", "downsample.1"),
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


_SIZES = {
  "resnet18": ((2, 2, 2, 2), False),
  "resnet34": ((3, 4, 6, 3), False),
  "resnet50": ((3, 4, 6, 3), True),
  "resnet101": ((3, 4, 23, 3), True),
  "resnet152": ((3, 8, 36, 3), True),
}


def _named() -> dict[str, ResNetConfig]:
  """By the preprocessing of torchvision's first weights, and of its second."""
  named = {}
  for name, (depths, bottleneck) in _SIZES.items():
    named[name] = ResNetConfig(depths=depths, bottleneck=bottleneck, **imagenet())
    if bottleneck:
      named[f"{name}-v2"] = dataclasses.replace(named[name], **imagenet(resize=232))
  return named


FAMILY = Family(
  name="resnet",
  config=ResNetConfig,
  module=ResNet,
  named=_named(),
  sources={name: (f"timm/{name}.tv_in1k",) for name in _SIZES}
  | {"resnet152": ("timm/resnet152.tv_in1k", "microsoft/resnet-152")},
  layouts=lambda config: {
    TORCHVISION: [_TORCHVISION],
    TIMM: [_TORCHVISION],
    HUGGINGFACE: [_HUGGINGFACE],
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
