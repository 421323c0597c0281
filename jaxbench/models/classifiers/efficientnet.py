"""EfficientNet (Tan and Le, 2019, arXiv:1905.11946)."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.parts.mbconv import (
  B0,
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


class EfficientNetConfig(MBConvNetConfig):
  """Everything that shapes an EfficientNet, after scaling."""

  activation = "silu"
  squeeze_excite = True


def torchvision_tensors(config: MBConvNetConfig) -> Renamings:
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
    if stage.fused:
      places = {"fused": "0.0", "fused_bn": "0.1", "project": "1.0", "project_bn": "1.1"}
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


def numbered(stages: Sequence[Stage], name: str) -> Renamings:
  """Of libraries that number blocks throughout: `name` and the number."""
  blocks = [(i, j) for i, stage in enumerate(stages) for j in range(stage.depth)]
  return tuple((rf"^stages\.{i}\.{j}\.", f"{name}.{n}.") for n, (i, j) in enumerate(blocks))


def _transformers(config: EfficientNetConfig) -> Renamings:
  return (
    (r"^stem\.", "efficientnet.embeddings.convolution."),
    (r"^stem_bn\.", "efficientnet.embeddings.batchnorm."),
    *numbered(config.stages, "efficientnet.encoder.blocks"),
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


def _read(fields: Fields, images: Images) -> EfficientNetConfig:
  """EfficientNetForImageClassification."""
  width, divisor = fields.number("width_coefficient", 2.0), fields.count("depth_divisor", 8)
  fields.skip("in_channels")  # The channels of what comes before, which tensors must fit.
  # Their names, in the order of ours, and ours.
  names = ("num_block_repeats", "out_channels", "kernel_sizes", "strides", "expand_ratios")
  ours = ("depth", "channels", "kernel", "stride", "expand")
  columns = [
    fields.counts(name, [getattr(stage, own) for stage in B0])
    for name, own in zip(names, ours, strict=True)
  ]
  if len({len(column) for column in columns}) > 1:
    raise fields.error(f"{', '.join(names)} are not equally long")
  stages = [Stage(*row) for row in zip(*columns, strict=True)]
  config = EfficientNetConfig(
    stem=round_channels(32 * width, divisor),
    stages=scaled(stages, width, fields.number("depth_coefficient", 3.1), divisor),
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
    stem=round_channels(32 * width),
    stages=scaled(B0, width, depth),
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
  module=MBConvNet,
  named={f"efficientnet_{name}": _sized(name) for name in _SIZES},
  sources={f"efficientnet_{name}": (f"google/efficientnet-{name}",) for name in _SIZES},
  layouts=lambda config: {
    TORCHVISION: [torchvision_tensors(config)],
    TIMM: [timm_tensors(config)],
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
