"""MobileNetV3 (Howard et al., 2019, arXiv:1905.02244)."""

import dataclasses
from typing import Any, ClassVar

import jax
from flax import nnx

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import TIMM, TORCHVISION, Family, Timm
from jaxbench.models.parts.layers import Conv, FrozenBatchNorm, LayerList, Linear
from jaxbench.models.parts.mbconv import Block, Manner, Shape, round_channels
from jaxbench.models.weights.mapping import Renamings


@dataclasses.dataclass(frozen=True)
class Row:
  """A block."""

  middle: int  # Channels inside.
  channels: int
  kernel: int
  stride: int
  gated: bool
  hard_swish: bool  # Else ReLU.


@dataclasses.dataclass(frozen=True, kw_only=True)
class MobileNetV3Config(ClassifierConfig):
  """Everything that shapes a MobileNetV3, after scaling."""

  activation: ClassVar[str] = "hard_swish"

  stem: int  # Channels of the first convolution.
  stages: tuple[tuple[Row, ...], ...]
  last: int  # Channels of the last convolution.
  head: int  # Of the layer behind the pooling.
  epsilon: float  # Of batch norm: 1e-5 in timm's own weights, 1e-3 in others.
  same_padding: bool  # As TensorFlow pads: one more on the right and below.


class MobileNetV3(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: MobileNetV3Config, *, rngs: nnx.Rngs):
    self.config = config
    manner = Manner(config.epsilon, config.same_padding)
    self.stem = Conv(3, config.stem, 3, 2, padding=manner.padding, rngs=rngs)
    self.stem_bn = FrozenBatchNorm(config.stem, config.epsilon)
    stages, inputs = [], config.stem
    for stage in config.stages:
      blocks = []
      for row in stage:
        blocks.append(Block(_shape(row, inputs), manner, rngs=rngs))
        inputs = row.channels
      stages.append(LayerList(blocks))
    self.stages = LayerList(stages)
    self.last = Conv(inputs, config.last, 1, rngs=rngs)
    self.last_bn = FrozenBatchNorm(config.last, config.epsilon)
    self.head = Linear(config.last, config.head, rngs=rngs)
    self.fc = Linear(config.head, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = jax.nn.hard_swish(self.stem_bn(self.stem(x)))
    for stage in self.stages:
      for block in stage:
        x = block(x)
    x = jax.nn.hard_swish(self.last_bn(self.last(x)))
    return self.fc(jax.nn.hard_swish(self.head(x.mean(axis=(1, 2)))))


def _shape(row: Row, inputs: int) -> Shape:
  return Shape(
    inputs,
    row.middle,
    row.channels,
    row.kernel,
    row.stride,
    "hard_swish" if row.hard_swish else "relu",
    round_channels(row.middle / 4) if row.gated else 0,
    hard=True,
  )


def _torchvision(config: MobileNetV3Config) -> Renamings:
  """Blocks are numbered throughout, from 1, and the parts that each has."""
  renamings, inputs, place = [], config.stem, 0
  for i, stage in enumerate(config.stages):
    for j, row in enumerate(stage):
      first = int(row.middle != inputs)
      project, place, inputs = first + 1 + row.gated, place + 1, row.channels
      parts = {"expand": "0.0", "expand_bn": "0.1", "depthwise": f"{first}.0"}
      parts |= {"depthwise_bn": f"{first}.1", r"se\.reduce": f"{first + 1}.fc1"}
      parts |= {r"se\.expand": f"{first + 1}.fc2"}
      parts |= {"project": f"{project}.0", "project_bn": f"{project}.1"}
      renamings += [
        (rf"^stages\.{i}\.{j}\.{part}\.", f"features.{place}.block.{number}.")
        for part, number in parts.items()
      ]
  return (
    (r"^stem\.", "features.0.0."),
    (r"^stem_bn\.", "features.0.1."),
    *renamings,
    (r"^last\.", f"features.{place + 1}.0."),
    (r"^last_bn\.", f"features.{place + 1}.1."),
    (r"^head\.", "classifier.0."),
    (r"^fc\.", "classifier.3."),
  )


def _timm(config: MobileNetV3Config) -> Renamings:
  """A block that does not expand has its norms numbered otherwise."""
  renamings, inputs = [], config.stem
  for i, stage in enumerate(config.stages):
    for j, row in enumerate(stage):
      parts = {"expand": "conv_pw", "expand_bn": "bn1", "depthwise": "conv_dw"}
      parts |= {"depthwise_bn": "bn2", "project": "conv_pwl", "project_bn": "bn3"}
      if row.middle == inputs:
        parts = {"depthwise": "conv_dw", "depthwise_bn": "bn1", "project": "conv_pw"}
        parts |= {"project_bn": "bn2"}
      parts |= {r"se\.reduce": "se.conv_reduce", r"se\.expand": "se.conv_expand"}
      inputs = row.channels
      renamings += [
        (rf"^stages\.{i}\.{j}\.{part}\.", f"blocks.{i}.{j}.{theirs}.")
        for part, theirs in parts.items()
      ]
  last = len(config.stages)
  return (
    (r"^stem\.", "conv_stem."),
    (r"^stem_bn\.", "bn1."),
    *renamings,
    (r"^last\.", f"blocks.{last}.0.conv."),
    (r"^last_bn\.", f"blocks.{last}.0.bn1."),
    (r"^head\.", "conv_head."),
    (r"^fc\.", "classifier."),
  )


# Tables 1 and 2, in stages of one size: (repeats, expand, channels, kernel, stride, gated,
# hard_swish). The expansion is of the input's channels, after scaling.
_Stage = tuple[tuple[int, float, int, int, int, bool, bool], ...]
_LARGE: tuple[_Stage, ...] = (
  ((1, 1, 16, 3, 1, False, False),),
  ((1, 4, 24, 3, 2, False, False), (1, 3, 24, 3, 1, False, False)),
  ((1, 3, 40, 5, 2, True, False), (2, 3, 40, 5, 1, True, False)),
  (
    (1, 6, 80, 3, 2, False, True),
    (1, 2.5, 80, 3, 1, False, True),
    (2, 2.3, 80, 3, 1, False, True),
  ),
  ((2, 6, 112, 3, 1, True, True),),
  ((1, 6, 160, 5, 2, True, True), (2, 6, 160, 5, 1, True, True)),
)
_SMALL: tuple[_Stage, ...] = (
  ((1, 1, 16, 3, 2, True, False),),
  ((1, 4.5, 24, 3, 2, False, False), (1, 3.67, 24, 3, 1, False, False)),
  ((1, 4, 40, 5, 2, True, True), (2, 6, 40, 5, 1, True, True)),
  ((2, 3, 48, 5, 1, True, True),),
  ((1, 6, 96, 5, 2, True, True), (2, 6, 96, 5, 1, True, True)),
)


def _sized(small: bool, width: float, shown: dict[str, Any]) -> MobileNetV3Config:
  """As torchvision has it."""
  stem = 16 if width < 0.75 else round_channels(16 * width)
  stages, inputs = [], stem
  for table in _SMALL if small else _LARGE:
    rows = []
    for repeats, expand, channels, kernel, stride, gated, hard_swish in table:
      for _ in range(repeats):
        middle, outputs = round_channels(inputs * expand), round_channels(channels * width)
        rows.append(Row(middle, outputs, kernel, stride, gated, hard_swish))
        inputs = outputs
    stages.append(tuple(rows))
  return MobileNetV3Config(
    stem=stem,
    stages=tuple(stages),
    last=round_channels((576 if small else 960) * width),
    head=1024 if small else 1280,
    epsilon=1e-3,
    same_padding=False,
    **shown,
  )


_SHOWN = imagenet(224, 256, "bicubic")
_NAMED = {
  # Torchvision's weights; the second of the large.
  "mobilenet_v3_large": _sized(False, 1.0, imagenet()),
  "mobilenet_v3_large-v2": _sized(False, 1.0, imagenet(resize=232)),
  "mobilenet_v3_small": _sized(True, 1.0, imagenet()),
  "mobilenet_v3_large_075": _sized(False, 0.75, _SHOWN),
  "mobilenet_v3_small_075": _sized(True, 0.75, _SHOWN),
  "mobilenet_v3_small_050": _sized(True, 0.5, _SHOWN),
}
_ONLY_TIMM = ("mobilenet_v3_large_075", "mobilenet_v3_small_075", "mobilenet_v3_small_050")
_TIMM_NAMES = {
  "mobilenetv3_large_100": "mobilenet_v3_large",
  "mobilenetv3_small_100": "mobilenet_v3_small",
  **{name.replace("_v3", "v3"): name for name in _ONLY_TIMM},
}
FAMILY = Family(
  name="mobilenet_v3",
  config=MobileNetV3Config,
  module=MobileNetV3,
  named=_NAMED,
  sources={
    "mobilenet_v3_large": ("timm/mobilenetv3_large_100.ra_in1k",),
    "mobilenet_v3_small": ("timm/mobilenetv3_small_100.lamb_in1k",),
    "mobilenet_v3_large_075": ("timm/tf_mobilenetv3_large_075.in1k",),
    "mobilenet_v3_small_075": ("timm/mobilenetv3_small_075.lamb_in1k",),
    "mobilenet_v3_small_050": ("timm/mobilenetv3_small_050.lamb_in1k",),
  },
  layouts=lambda config: {TORCHVISION: [_torchvision(config)], TIMM: [_timm(config)]},
  lacks={TORCHVISION: _ONLY_TIMM},
  # Weights of TensorFlow ("tf_") have its padding and epsilon.
  timm=Timm(
    names={name: (ours, {"epsilon": 1e-5}) for name, ours in _TIMM_NAMES.items()}
    | {
      f"tf_{name}": (ours, {"epsilon": 1e-3, "same_padding": True})
      for name, ours in _TIMM_NAMES.items()
      if name != "mobilenetv3_small_050"
    }
  ),
)
