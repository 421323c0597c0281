"""MobileNetV2 (Sandler et al., 2018, arXiv:1801.04381)."""

import dataclasses
from typing import Any

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.parts.mbconv import (
  MBConvNet,
  MBConvNetConfig,
  Stage,
  round_channels,
  scaled,
  timm_tensors,
)
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread


class MobileNetV2Config(MBConvNetConfig):
  """Everything that shapes a MobileNetV2, after scaling."""

  activation = "relu6"
  squeeze_excite = False


# Table 2: (depth, channels, kernel, stride, expand).
_STAGES = (
  Stage(1, 16, 3, 1, 1),
  Stage(2, 24, 3, 2, 6),
  Stage(3, 32, 3, 2, 6),
  Stage(4, 64, 3, 2, 6),
  Stage(3, 96, 3, 1, 6),
  Stage(3, 160, 3, 2, 6),
  Stage(1, 320, 3, 1, 6),
)


def _torchvision(config: MobileNetV2Config) -> Renamings:
  """Blocks are numbered throughout, from 1; one that does not expand has a part less."""
  blocks = [(i, j) for i, stage in enumerate(config.stages) for j in range(stage.depth)]
  renamings = []
  for place, (i, j) in enumerate(blocks, 1):
    first = int(config.stages[i].expand != 1)
    parts = {"expand": "0.0", "expand_bn": "0.1", "depthwise": f"{first}.0"}
    parts |= {"depthwise_bn": f"{first}.1", "project": f"{first + 1}", "project_bn": f"{first + 2}"}
    renamings += [
      (rf"^stages\.{i}\.{j}\.{part}\.", f"features.{place}.conv.{number}.")
      for part, number in parts.items()
    ]
  last = len(blocks) + 1
  return (
    (r"^stem\.", "features.0.0."),
    (r"^stem_bn\.", "features.0.1."),
    *renamings,
    (r"^head\.", f"features.{last}.0."),
    (r"^head_bn\.", f"features.{last}.1."),
    (r"^fc\.", "classifier.1."),
  )


def _transformers(config: MobileNetV2Config) -> Renamings:
  """The first block belongs to the stem, and is not numbered."""
  blocks = [(i, j) for i, stage in enumerate(config.stages) for j in range(stage.depth)]
  parts = {"expand": "expand_1x1", "depthwise": "conv_3x3", "project": "reduce_1x1"}
  return (
    (r"^stem\.", "mobilenet_v2.conv_stem.first_conv.convolution."),
    (r"^stem_bn\.", "mobilenet_v2.conv_stem.first_conv.normalization."),
    (r"^stages\.0\.0\.", "mobilenet_v2.conv_stem."),
    *((rf"^stages\.{i}\.{j}\.", f"mobilenet_v2.layer.{n}.") for n, (i, j) in enumerate(blocks[1:])),
    *((rf"\.{part}\.", f".{theirs}.convolution.") for part, theirs in parts.items()),
    *((rf"\.{part}_bn\.", f".{theirs}.normalization.") for part, theirs in parts.items()),
    (r"^head\.", "mobilenet_v2.conv_1x1.convolution."),
    (r"^head_bn\.", "mobilenet_v2.conv_1x1.normalization."),
    (r"^fc\.", "classifier."),
  )


def _read(fields: Fields, images: Images) -> MobileNetV2Config:
  """MobileNetV2ForImageClassification."""
  fields.choose("hidden_act", {"relu6": "relu6"}, "relu6")
  width, divisor = fields.number("depth_multiplier", 1.0), fields.count("depth_divisible_by", 8)
  if width <= 0:
    raise fields.error(f"depth_multiplier {width} is not above 0")

  def channels(count: int) -> int:
    """It rounds twice."""
    return round_channels(round(count * width), divisor)

  fine = fields.flag("finegrained_output", True) and width < 1
  return MobileNetV2Config(
    stem=channels(32),
    stages=tuple(
      dataclasses.replace(stage, channels=channels(stage.channels)) for stage in _STAGES
    ),
    head=1280 if fine else channels(1280),
    epsilon=fields.number("layer_norm_eps", 1e-3),
    same_padding=fields.flag("tf_padding", True),
    num_classes=config_json.classes(fields),
    **images._asdict(),
  )


def _sized(
  width: float, shown: dict[str, Any], depth: float = 1, fixed: bool = False
) -> MobileNetV2Config:
  """Torch's; where its ends are `fixed`, the stem, the first and last depth and the head are."""
  first, *middle, last = _STAGES
  return MobileNetV2Config(
    stem=32 if fixed else round_channels(32 * width),
    stages=(
      *scaled([first], width, 1),
      *scaled(middle, width, depth),
      *scaled([last], width, 1),
    ),
    head=1280 if fixed else max(1280, round_channels(1280 * width)),
    epsilon=1e-5,
    same_padding=False,
    **shown,
  )


_SHOWN = imagenet(224, 256, "bicubic")
_NAMED = {
  "mobilenet_v2": _sized(1.0, imagenet()),  # Torchvision's first weights, and its second.
  "mobilenet_v2-v2": _sized(1.0, imagenet(resize=232)),
  "mobilenet_v2_035": _sized(0.35, _SHOWN),
  "mobilenet_v2_050": _sized(0.5, _SHOWN),
  "mobilenet_v2_075": _sized(0.75, _SHOWN),
  "mobilenet_v2_140": _sized(1.4, _SHOWN),
  "mobilenet_v2_110d": _sized(1.1, _SHOWN, 1.2, fixed=True),
  "mobilenet_v2_120d": _sized(1.2, _SHOWN, 1.4, fixed=True),
}
_TIMM_NAMES = {f"mobilenetv2_{name[13:]}": name for name in _NAMED if name[12:13] == "_"}
_TIMM_NAMES |= {"mobilenetv2_100": "mobilenet_v2"}
_DEEP = ("mobilenet_v2_110d", "mobilenet_v2_120d")
FAMILY = Family(
  name="mobilenet_v2",
  config=MobileNetV2Config,
  module=MBConvNet,
  named=_NAMED,
  sources={
    "mobilenet_v2": ("google/mobilenet_v2_1.0_224", "timm/mobilenetv2_100.ra_in1k"),
    "mobilenet_v2_140": ("google/mobilenet_v2_1.4_224", "timm/mobilenetv2_140.ra_in1k"),
    "mobilenet_v2_050": ("timm/mobilenetv2_050.lamb_in1k",),
    "mobilenet_v2_075": ("google/mobilenet_v2_0.75_160",),
    "mobilenet_v2_035": ("google/mobilenet_v2_0.35_96",),
    **{name: (f"timm/mobilenetv2_{name[13:]}.ra_in1k",) for name in _DEEP},
  },
  layouts=lambda config: {
    TORCHVISION: [_torchvision(config)],
    TIMM: [timm_tensors(config)],
    HUGGINGFACE: [_transformers(config)],
  },
  lacks={
    TORCHVISION: tuple(name for name in _NAMED if name[12:13] == "_"),
    HUGGINGFACE: _DEEP,
  },
  transformers=Transformers(
    model_type="mobilenet_v2",
    processor="MobileNetV2ImageProcessor",
    read=_read,
    # Its size is that of the image processor: no tensor depends on it.
    unread=Unread(
      config_json.COMMON | {"classifier_dropout_prob", "image_size", "semantic_loss_ignore_index"},
      {
        **config_json.IMAGE,
        "expand_ratio": (6.0, 6),
        "first_layer_is_expansion": (True,),
        "min_depth": (8,),
        "output_stride": (32,),
      },
    ),
    built=lambda config: dataclasses.replace(config, epsilon=1e-3, same_padding=True),
  ),
  timm=Timm(names={theirs: (name, {}) for theirs, name in _TIMM_NAMES.items()}),
)
