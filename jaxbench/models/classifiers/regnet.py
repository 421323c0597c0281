"""RegNetY (Radosavovic et al., 2020, arXiv:2003.13678)."""

import dataclasses
from typing import ClassVar

import jax
from flax import nnx

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.parts.gate import Gate
from jaxbench.models.parts.layers import Conv, FrozenBatchNorm, LayerList, Linear
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegNetConfig(ClassifierConfig):
  """Everything that shapes a RegNetY."""

  activation: ClassVar[str] = "relu"

  depths: tuple[int, ...]  # Blocks per stage.
  widths: tuple[int, ...]  # Channels per stage.
  group_width: int  # Channels in a group of the 3x3 convolutions.
  stem: int = 32  # Channels of the first convolution.


class ConvNorm(nnx.Module):
  """A convolution and its norm."""

  def __init__(
    self,
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    *,
    rngs: nnx.Rngs,
  ):
    self.conv = Conv(inputs, outputs, kernel, stride, groups=groups, rngs=rngs)
    self.bn = FrozenBatchNorm(outputs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    return self.bn(self.conv(x))


class Block(nnx.Module):
  """1x1, 3x3 in groups, a gate, 1x1, and a shortcut."""

  def __init__(self, inputs: int, width: int, stride: int, group_width: int, *, rngs: nnx.Rngs):
    groups = max(1, width // group_width)
    self.conv1 = ConvNorm(inputs, width, rngs=rngs)
    self.conv2 = ConvNorm(width, width, 3, stride, groups, rngs=rngs)
    self.se = Gate(width, round(inputs / 4), rngs=rngs)  # Of what comes in, not of its own width.
    self.conv3 = ConvNorm(width, width, rngs=rngs)
    changes = stride != 1 or inputs != width
    self.shortcut = ConvNorm(inputs, width, 1, stride, rngs=rngs) if changes else None

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / stride, W / stride, width]."""
    shortcut = x if self.shortcut is None else self.shortcut(x)
    x = jax.nn.relu(self.conv2(jax.nn.relu(self.conv1(x))))
    return jax.nn.relu(self.conv3(self.se(x)) + shortcut)


class RegNet(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: RegNetConfig, *, rngs: nnx.Rngs):
    self.config = config
    self.stem = ConvNorm(3, config.stem, 3, 2, rngs=rngs)
    stages, inputs = [], config.stem
    for depth, width in zip(config.depths, config.widths, strict=True):
      steps = [(inputs, 2), *[(width, 1)] * (depth - 1)]
      blocks = [Block(before, width, step, config.group_width, rngs=rngs) for before, step in steps]
      stages.append(LayerList(blocks))
      inputs = width
    self.stages = LayerList(stages)
    self.fc = Linear(inputs, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = jax.nn.relu(self.stem(x))
    for stage in self.stages:
      for block in stage:
        x = block(x)
    return self.fc(x.mean(axis=(1, 2)))


_TORCHVISION: Renamings = (
  *((rf"^stages\.{i}\.(\d+)\.", rf"trunk_output.block{i + 1}.block{i + 1}-\1.") for i in range(4)),
  *((rf"\.conv{i + 1}\.", f".f.{part}.") for i, part in enumerate("abc")),
  (r"\.se\.", ".f.se."),
  (r"\.shortcut\.", ".proj."),
  (r"\.conv\.", ".0."),
  (r"\.bn\.", ".1."),
)
_HUGGINGFACE: Renamings = (
  (r"^stem\.", "regnet.embedder.embedder."),
  (r"^stages\.(\d+)\.(\d+)\.", r"regnet.encoder.stages.\1.layers.\2."),
  (r"\.conv1\.", ".layer.0."),
  (r"\.conv2\.", ".layer.1."),
  (r"\.se\.fc1\.", ".layer.2.attention.0."),
  (r"\.se\.fc2\.", ".layer.2.attention.2."),
  (r"\.conv3\.", ".layer.3."),
  (r"\.conv\.", ".convolution."),
  (r"\.bn\.", ".normalization."),
  (r"^fc\.", "classifier.1."),
)


def _timm(config: RegNetConfig) -> Renamings:
  """It counts blocks from 1."""
  blocks = [(i, j) for i, depth in enumerate(config.depths) for j in range(depth)]
  return (
    *((rf"^stages\.{i}\.{j}\.", f"s{i + 1}.b{j + 1}.") for i, j in blocks),
    (r"\.shortcut\.", ".downsample."),
    (r"^fc\.", "head.fc."),
  )


def _read(fields: Fields, images: Images) -> RegNetConfig:
  """RegNetForImageClassification."""
  fields.choose("hidden_act", {"relu": "relu"}, "relu")
  fields.choose("layer_type", {"y": "y"}, "y")
  if not fields.flag("downsample_in_first_stage", True):
    raise fields.error("a RegNet whose first stage does not halve the size is not supported")
  widths = fields.counts("hidden_sizes", [128, 192, 512, 1088])
  group_width = fields.count("groups_width", 64)
  if any(width % max(1, width // group_width) for width in widths):
    raise fields.error(f"groups_width {group_width} does not cut hidden_sizes {list(widths)}")
  return RegNetConfig(
    depths=config_json.depths(fields, [2, 6, 12, 2], len(widths)),
    widths=widths,
    group_width=group_width,
    stem=fields.count("embedding_size", 32),
    num_classes=config_json.classes(fields),
    **images._asdict(),
  )


# Depths, widths, channels in a group. Where torchvision rounds widths to groups otherwise than the
# authors, and timm with them, it has a name of its own.
_SIZES = {
  "regnet_y_200mf": ((1, 1, 4, 7), (24, 56, 152, 368), 8),
  "regnet_y_400mf": ((1, 3, 6, 6), (48, 104, 208, 440), 8),
  "regnet_y_600mf": ((1, 3, 7, 4), (48, 112, 256, 608), 16),
  "regnet_y_800mf": ((1, 3, 8, 2), (64, 144, 320, 784), 16),
  "regnet_y_800mf_pycls": ((1, 3, 8, 2), (64, 128, 320, 768), 16),
  "regnet_y_1_6gf": ((2, 6, 17, 2), (48, 120, 336, 888), 24),
  "regnet_y_3_2gf": ((2, 5, 13, 1), (72, 216, 576, 1512), 24),
  "regnet_y_4gf": ((2, 6, 12, 2), (128, 192, 512, 1088), 64),
  "regnet_y_6_4gf": ((2, 7, 14, 2), (144, 288, 576, 1296), 72),
  "regnet_y_8gf": ((2, 4, 10, 1), (224, 448, 896, 2016), 56),
  "regnet_y_8gf_pycls": ((2, 4, 10, 1), (168, 448, 896, 2016), 56),
  "regnet_y_12gf": ((2, 5, 11, 1), (224, 448, 896, 2240), 112),
  "regnet_y_16gf": ((2, 4, 11, 1), (224, 448, 1232, 3024), 112),
  "regnet_y_32gf": ((2, 5, 12, 1), (232, 696, 1392, 3712), 232),
  "regnet_y_64gf": ((2, 5, 12, 1), (328, 984, 1968, 4920), 328),
  "regnet_y_128gf": ((2, 7, 17, 1), (528, 1056, 2904, 7392), 264),
}
_TIMM_NAMES = {
  "regnety_002": "regnet_y_200mf",
  "regnety_004": "regnet_y_400mf",
  "regnety_006": "regnet_y_600mf",
  "regnety_008": "regnet_y_800mf_pycls",
  "regnety_008_tv": "regnet_y_800mf",
  "regnety_016": "regnet_y_1_6gf",
  "regnety_032": "regnet_y_3_2gf",
  "regnety_040": "regnet_y_4gf",
  "regnety_064": "regnet_y_6_4gf",
  "regnety_080": "regnet_y_8gf_pycls",
  "regnety_080_tv": "regnet_y_8gf",
  "regnety_120": "regnet_y_12gf",
  "regnety_160": "regnet_y_16gf",
  "regnety_320": "regnet_y_32gf",
  "regnety_640": "regnet_y_64gf",
  "regnety_1280": "regnet_y_128gf",
}
# Torchvision's first weights of these, and its second.
_TORCHVISION_SIZES = ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")
_PUBLISHED = {f"regnet_y_{size}" for size in _TORCHVISION_SIZES}


def _named() -> dict[str, RegNetConfig]:
  named = {}
  for name, (depths, widths, group_width) in _SIZES.items():
    shown = imagenet() if name in _PUBLISHED else imagenet(interpolation="bicubic")
    if name == "regnet_y_128gf":  # Of torchvision, trained on 3.6 billion images.
      shown = imagenet(384, 384, "bicubic")
    named[name] = RegNetConfig(depths=depths, widths=widths, group_width=group_width, **shown)
    if name in _PUBLISHED:
      named[f"{name}-v2"] = dataclasses.replace(named[name], **imagenet(resize=232))
  return named


_TAGS = {"regnety_008_tv": "tv2_in1k", "regnety_080_tv": "tv2_in1k"}
_TAGS |= {"regnety_640": "seer_ft_in1k", "regnety_1280": "swag_ft_in1k"}
_ON_THE_HUB = {"regnety_004": "004", "regnety_008": "008", "regnety_040": "040"}
_ON_THE_HUB |= {"regnety_160": "160", "regnety_320": "320"}
FAMILY = Family(
  name="regnet",
  config=RegNetConfig,
  module=RegNet,
  named=_named(),
  sources={
    ours: (
      f"timm/{theirs}.{_TAGS.get(theirs, 'pycls_in1k')}",
      *([f"facebook/regnet-y-{_ON_THE_HUB[theirs]}"] if theirs in _ON_THE_HUB else []),
    )
    for theirs, ours in _TIMM_NAMES.items()
  },
  layouts=lambda config: {
    TORCHVISION: [_TORCHVISION],
    TIMM: [_timm(config)],
    HUGGINGFACE: [_HUGGINGFACE],
  },
  lacks={TORCHVISION: tuple(_SIZES.keys() - _PUBLISHED - {"regnet_y_128gf"})},
  transformers=Transformers(
    model_type="regnet",
    processor="ConvNextImageProcessor",
    read=_read,
    # Its size is that of the image processor: no tensor depends on it.
    unread=Unread(config_json.COMMON | config_json.BACKBONE, config_json.IMAGE),
  ),
  timm=Timm(names={theirs: (ours, {}) for theirs, ours in _TIMM_NAMES.items()}),
)
