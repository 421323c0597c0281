"""Supervised models of transformers: their config.json as our configurations."""

import math

from jaxbench.models.architectures import Config
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig, Stage, round_channels
from jaxbench.models.resnet import ResNetConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights.huggingface_tower import Defaults, tower
from jaxbench.models.weights.layouts import huggingface as layouts
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields


def _classes(config: Fields) -> int:
  """Of a classifier; both fields are written by some releases, and then agree."""
  labels = config.sub("id2label").content
  count = config.count("num_labels", len(labels) or None)
  if "id2label" in config.content and count != len(labels):
    raise config.error(f"id2label has {len(labels)} classes, and num_labels is {count}")
  return count


def vit(config: Fields, images: Images) -> tuple[Config, Renamings]:
  """transformers' ViTForImageClassification."""
  return ViTConfig(
    tower=tower(config, Defaults(768, 3072, 12, "gelu", 1e-12)),
    patch_size=config.side("patch_size", 16),
    num_classes=_classes(config),
    **fitting(config.path, images, config.side("image_size", 224))._asdict(),
  ), layouts.vit()


def resnet(config: Fields, images: Images) -> tuple[Config, Renamings]:
  """ResNetForImageClassification."""
  widths = config.counts("hidden_sizes", [256, 512, 1024, 2048])
  bottleneck = config.choose("layer_type", {"bottleneck": True, "basic": False}, "bottleneck")
  width = config.count("embedding_size", 64)
  if config.flag("downsample_in_bottleneck", False) or config.flag(
    "downsample_in_first_stage", False
  ):
    raise config.error("a ResNet with its strides elsewhere than v1.5 has them is not supported")
  config.choose("hidden_act", {"relu": "relu"}, "relu")
  if widths != tuple(width * 2**i * (4 if bottleneck else 1) for i in range(len(widths))):
    raise config.error(f"hidden_sizes {list(widths)} are not those of a ResNet v1.5")
  return ResNetConfig(
    depths=_depths(config, [3, 4, 6, 3], len(widths)),
    width=width,
    bottleneck=bottleneck,
    num_classes=_classes(config),
    **images._asdict(),
  ), layouts.resnet()


def _depths(config: Fields, default: list[int], stages: int) -> tuple[int, ...]:
  depths = config.counts("depths", default)
  if len(depths) != stages:
    raise config.error(f"depths has {len(depths)} stages, hidden_sizes has {stages}")
  return depths


def convnext(config: Fields, images: Images) -> tuple[Config, Renamings]:
  """ConvNextForImageClassification."""
  config.choose("hidden_act", {"gelu": "gelu"}, "gelu")
  widths = config.counts("hidden_sizes", [96, 192, 384, 768])
  if config.count("num_stages", len(widths)) != len(widths):
    raise config.error(f"num_stages contradicts hidden_sizes, which has {len(widths)}")
  return ConvNeXtConfig(
    depths=_depths(config, [3, 3, 9, 3], len(widths)),
    widths=widths,
    head_epsilon=config.number("layer_norm_eps", 1e-12),
    num_classes=_classes(config),
    **images._asdict(),
  ), layouts.convnext()


def efficientnet(config: Fields, images: Images) -> tuple[Config, Renamings]:
  """EfficientNetForImageClassification."""
  width, divisor = config.number("width_coefficient", 2.0), config.count("depth_divisor", 8)
  config.skip("in_channels")  # The channels of what comes before, which tensors must fit.
  scales = {
    "num_block_repeats": [1, 2, 2, 3, 3, 4, 1],
    "out_channels": [16, 24, 40, 80, 112, 192, 320],
    "kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "strides": [1, 2, 2, 2, 1, 2, 1],
    "expand_ratios": [1, 6, 6, 6, 6, 6, 6],
  }
  columns = [config.counts(name, default) for name, default in scales.items()]
  if len({len(column) for column in columns}) > 1:
    raise config.error(f"{', '.join(scales)} are not equally long")
  depth_factor = config.number("depth_coefficient", 3.1)
  ours = EfficientNetConfig(
    stem=round_channels(32 * width, divisor),
    stages=tuple(
      Stage(
        math.ceil(depth_factor * depth),
        round_channels(channels * width, divisor),
        kernel,
        stride,
        expand,
      )
      for depth, channels, kernel, stride, expand in zip(*columns, strict=True)
    ),
    head=config.count("hidden_dim", 2560),
    epsilon=config.number("batch_norm_eps", 1e-3),
    same_padding=True,
    num_classes=_classes(config),
    **images._asdict(),
  )
  _check_blocks(config, ours)
  return ours, layouts.efficientnet(ours)


def _check_blocks(config: Fields, ours: EfficientNetConfig) -> None:
  """Where transformers pads and adds as TensorFlow does.

  Raises:
    InputError: the blocks that halve odd sizes are not those that are listed, images have an odd
      size, or the first block of a stage could add its input, which transformers never does.
  """
  listed, halving = config.get("depthwise_padding", []), {}
  if not isinstance(listed, list) or not all(isinstance(block, int) for block in listed):
    raise config.error(f"depthwise_padding is {listed!r}, not a list of blocks")
  side, block, inputs = ours.preprocess.size // 2, 0, ours.stem
  for stage in ours.stages:
    if stage.stride == 1 and stage.channels == inputs:
      raise config.error(f"two stages of {inputs} channels follow each other: not supported")
    if stage.stride == 2:
      halving[block] = side % 2 == 1
      side = -(-side // 2)
    block, inputs = block + stage.depth, stage.channels
  odd = {block for block, is_odd in halving.items() if is_odd}
  if ours.preprocess.size % 2 or odd != set(listed) & set(halving):
    raise config.error(
      f"depthwise_padding {sorted(listed)} does not fit images of {ours.preprocess.size} pixels"
    )
