"""EfficientNet (Tan and Le, 2019, arXiv:1905.11946)."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.layers import Conv, FrozenBatchNorm, LayerList, Linear
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread


@dataclasses.dataclass(frozen=True)
class Stage:
  """Blocks of one width."""

  depth: int
  channels: int
  kernel: int
  stride: int  # Of the first block.
  expand: int  # Channels inside a block, as a multiple of its input's.


@dataclasses.dataclass(frozen=True, kw_only=True)
class EfficientNetConfig(ClassifierConfig):
  """Everything that shapes an EfficientNet, after scaling."""

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
    self, inputs: int, stage: Stage, stride: int, config: EfficientNetConfig, *, rngs: nnx.Rngs
  ):
    middle, epsilon = inputs * stage.expand, config.epsilon
    padding = "SAME" if config.same_padding else None
    self.residual = stride == 1 and inputs == stage.channels
    self.expand = Conv(inputs, middle, 1, rngs=rngs) if stage.expand != 1 else None
    self.expand_bn = FrozenBatchNorm(middle, epsilon) if stage.expand != 1 else None
    self.depthwise = Conv(
      middle, middle, stage.kernel, stride, padding=padding, groups=middle, rngs=rngs
    )
    self.depthwise_bn = FrozenBatchNorm(middle, epsilon)
    self.se = SqueezeExcite(middle, max(1, inputs // 4), rngs=rngs)
    self.project = Conv(middle, stage.channels, 1, rngs=rngs)
    self.project_bn = FrozenBatchNorm(stage.channels, epsilon)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    shortcut = x
    if self.expand is not None and self.expand_bn is not None:
      x = jax.nn.silu(self.expand_bn(self.expand(x)))
    x = self.se(jax.nn.silu(self.depthwise_bn(self.depthwise(x))))
    x = self.project_bn(self.project(x))
    return x + shortcut if self.residual else x


class EfficientNet(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: EfficientNetConfig, *, rngs: nnx.Rngs):
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
    x = jax.nn.silu(self.stem_bn(self.stem(x)))
    for stage in self.stages:
      for block in stage:
        x = block(x)
    x = jax.nn.silu(self.head_bn(self.head(x)))
    return self.fc(x.mean(axis=(1, 2)))


def _torchvision(config: EfficientNetConfig) -> Renamings:
  """A block's parts are numbered; one that does not expand has a part less."""
  renamings = []
  for i, stage in enumerate(config.stages):
    first = int(stage.expand != 1)
    places = {
      "expand": "0.0",
      "expand_bn": "0.1",
      "depthwise": f"{first}.0",
      "depthwise_bn": f"{first}.1",
      r"se\.reduce": f"{first + 1}.fc1",
      r"se\.expand": f"{first + 1}.fc2",
      "project": f"{first + 2}.0",
      "project_bn": f"{first + 2}.1",
    }
    renamings += [
      (rf"^stages\.{i}\.(\d+)\.{part}\.", rf"features.{i + 1}.\1.block.{place}.")
      for part, place in places.items()
    ]
  last = len(config.stages) + 1
  return (
    (r"^stem\.", "features.0.0."),
    (r"^stem_bn\.", "features.0.1."),
    *renamings,
    (r"^head\.", f"features.{last}.0."),
    (r"^head_bn\.", f"features.{last}.1."),
    (r"^fc\.", "classifier.1."),
  )


def _transformers(config: EfficientNetConfig) -> Renamings:
  """Blocks are numbered throughout."""
  blocks = [(i, j) for i, stage in enumerate(config.stages) for j in range(stage.depth)]
  return (
    (r"^stem\.", "efficientnet.embeddings.convolution."),
    (r"^stem_bn\.", "efficientnet.embeddings.batchnorm."),
    *(
      (rf"^stages\.{i}\.{j}\.", f"efficientnet.encoder.blocks.{n}.")
      for n, (i, j) in enumerate(blocks)
    ),
    (r"\.depthwise\.", ".depthwise_conv.depthwise_conv."),
    (r"\.depthwise_bn\.", ".depthwise_conv.depthwise_norm."),
    (r"\.se\.", ".squeeze_excite."),
    (r"(blocks\.\d+)\.expand\.", r"\1.expansion.expand_conv."),
    (r"\.expand_bn\.", ".expansion.expand_bn."),
    (r"\.project\.", ".projection.project_conv."),
    (r"\.project_bn\.", ".projection.project_bn."),
    (r"^head\.", "efficientnet.encoder.top_conv."),
    (r"^head_bn\.", "efficientnet.encoder.top_bn."),
    (r"^fc\.", "classifier."),
  )


# The blocks of its first stage do not expand and number otherwise.
_TIMM: Renamings = (
  (r"^stem\.", "conv_stem."),
  (r"^stem_bn\.", "bn1."),
  (r"^stages\.0\.(\d+)\.depthwise\.", r"blocks.0.\1.conv_dw."),
  (r"^stages\.0\.(\d+)\.depthwise_bn\.", r"blocks.0.\1.bn1."),
  (r"^stages\.0\.(\d+)\.project\.", r"blocks.0.\1.conv_pw."),
  (r"^stages\.0\.(\d+)\.project_bn\.", r"blocks.0.\1.bn2."),
  (r"^stages\.", "blocks."),
  (r"(\.\d+)\.expand\.", r"\1.conv_pw."),
  (r"(\.\d+)\.expand_bn\.", r"\1.bn1."),
  (r"\.depthwise\.", ".conv_dw."),
  (r"\.depthwise_bn\.", ".bn2."),
  (r"\.se\.(reduce|expand)\.", r".se.conv_\1."),
  (r"\.project\.", ".conv_pwl."),
  (r"\.project_bn\.", ".bn3."),
  (r"^head\.", "conv_head."),
  (r"^head_bn\.", "bn2."),
  (r"^fc\.", "classifier."),
)


# (depth, channels, kernel, stride, expand) of B0, before scaling: table 1.
_B0 = (
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


def _scaled(stages: Sequence[Stage], width: float, depth: float, divisor: int = 8) -> Any:
  """The stem and the stages of an EfficientNet, from those of another (section 3.3)."""
  return {
    "stem": round_channels(32 * width, divisor),
    "stages": tuple(
      dataclasses.replace(
        stage,
        channels=round_channels(stage.channels * width, divisor),
        depth=math.ceil(stage.depth * depth),
      )
      for stage in stages
    ),
  }


def _read(fields: Fields, images: Images) -> EfficientNetConfig:
  """EfficientNetForImageClassification."""
  width, divisor = fields.number("width_coefficient", 2.0), fields.count("depth_divisor", 8)
  fields.skip("in_channels")  # The channels of what comes before, which tensors must fit.
  # Their names, in the order of ours.
  names = ("num_block_repeats", "out_channels", "kernel_sizes", "strides", "expand_ratios")
  defaults = zip(*map(dataclasses.astuple, _B0), strict=True)
  columns = [
    fields.counts(name, list(default)) for name, default in zip(names, defaults, strict=True)
  ]
  if len({len(column) for column in columns}) > 1:
    raise fields.error(f"{', '.join(names)} are not equally long")
  stages = [Stage(*row) for row in zip(*columns, strict=True)]
  config = EfficientNetConfig(
    **_scaled(stages, width, fields.number("depth_coefficient", 3.1), divisor),
    head=fields.count("hidden_dim", 2560),
    epsilon=fields.number("batch_norm_eps", 1e-3),
    same_padding=True,
    num_classes=config_json.classes(fields),
    **images._asdict(),
  )
  _check_blocks(fields, config)
  return config


def _check_blocks(fields: Fields, config: EfficientNetConfig) -> None:
  """Where transformers pads and adds as TensorFlow does.

  Raises:
    InputError: the blocks that halve odd sizes are not those that are listed, images have an odd
      size, or the first block of a stage could add its input, which transformers never does.
  """
  listed, halving = fields.get("depthwise_padding", []), {}
  if not isinstance(listed, list) or not all(isinstance(block, int) for block in listed):
    raise fields.error(f"depthwise_padding is {listed!r}, not a list of blocks")
  side, block, inputs = config.preprocess.size // 2, 0, config.stem
  for stage in config.stages:
    if stage.stride == 1 and stage.channels == inputs:
      raise fields.error(f"two stages of {inputs} channels follow each other: not supported")
    if stage.stride == 2:
      halving[block] = side % 2 == 1
      side = -(-side // 2)
    block, inputs = block + stage.depth, stage.channels
  odd = {block for block, is_odd in halving.items() if is_odd}
  if config.preprocess.size % 2 or odd != set(listed) & set(halving):
    raise fields.error(
      f"depthwise_padding {sorted(listed)} does not fit images of {config.preprocess.size} pixels"
    )


# Width, depth, then the resize and crop of torchvision's weights.
_SIZES = {
  "b0": (1.0, 1.0, 256, 224),
  "b1": (1.0, 1.1, 256, 240),
  "b2": (1.1, 1.2, 288, 288),
  "b3": (1.2, 1.4, 320, 300),
  "b4": (1.4, 1.8, 384, 380),
  "b5": (1.6, 2.2, 456, 456),
  "b6": (1.8, 2.6, 528, 528),
  "b7": (2.0, 3.1, 600, 600),
}


def _sized(name: str) -> EfficientNetConfig:
  width, depth, resize, size = _SIZES[name]
  return EfficientNetConfig(
    **_scaled(_B0, width, depth),
    head=round_channels(1280 * width),
    epsilon=1e-3 if name in ("b5", "b6", "b7") else 1e-5,
    same_padding=False,
    **imagenet(size, resize, "bicubic"),
  )


# TensorFlow's weights ("tf_") have its padding and its batch norm's epsilon.
_TIMM_NAMES: dict[str, tuple[str, dict[str, Any]]] = {
  f"{prefix}efficientnet_{name}": (
    f"efficientnet_{name}",
    {"epsilon": epsilon, "same_padding": ported},
  )
  for prefix, epsilon, ported in (("", 1e-5, False), ("tf_", 1e-3, True))
  for name in _SIZES
}
FAMILY = Family(
  name="efficientnet",
  config=EfficientNetConfig,
  module=EfficientNet,
  named={f"efficientnet_{name}": _sized(name) for name in _SIZES},
  sources={f"efficientnet_{name}": (f"google/efficientnet-{name}",) for name in _SIZES},
  layouts=lambda config: {
    TORCHVISION: [_torchvision(config)],
    TIMM: [_TIMM],
    HUGGINGFACE: [_transformers(config)],
  },
  transformers=Transformers(
    model_type="efficientnet",
    processor="EfficientNetImageProcessor",
    read=_read,
    unread=Unread(
      config_json.COMMON | config_json.TRAINING | {"image_size", "num_hidden_layers"},
      {
        **config_json.IMAGE,
        "hidden_act": ("swish", "silu"),
        "pooling_type": ("mean",),
        "squeeze_expansion_ratio": (0.25,),
      },
    ),
    built=lambda config: dataclasses.replace(config, epsilon=1e-3, same_padding=True),
  ),
  timm=Timm(names=_TIMM_NAMES),
)
