"""Folders that transformers writes: config.json, model.safetensors, preprocessor_config.json."""

import math
import pathlib
from typing import NamedTuple

from jaxbench.models.architectures import Config
from jaxbench.models.clip import CLIPConfig
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig, Stage, round_channels
from jaxbench.models.resnet import ResNetConfig
from jaxbench.models.siglip import SigLIPConfig
from jaxbench.models.tokenizer import VOCABULARY_SIZE, TokenizerFile
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights import files, known, processor, sidecar
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.layouts import huggingface as layouts
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields

_ACTIVATIONS = {
  "quick_gelu": "quick_gelu",
  "gelu": "gelu",
  "gelu_pytorch_tanh": "gelu_tanh",
  "gelu_new": "gelu_tanh",
}
# Of the classes that transformers takes where a folder names none.
_PROCESSORS = {
  "clip": "CLIPImageProcessor",
  "siglip": "SiglipImageProcessor",
  "vit": "ViTImageProcessor",
  "resnet": "ConvNextImageProcessor",
  "convnext": "ConvNextImageProcessor",
  "efficientnet": "EfficientNetImageProcessor",
}


class _Tower(NamedTuple):
  """Defaults of transformers' configuration classes."""

  width: int
  mlp: int
  heads: int
  activation: str
  epsilon: float


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`, by the `model_type` of its config.json.

  Where a field is absent, the default of transformers' configuration class holds.

  Raises:
    InputError: a file or field is missing, a field is not known, or the model is of another kind.
  """
  config = sidecar.read(folder / "config.json")
  kinds = {
    "clip": _clip,
    "siglip": _siglip,
    "vit": _vit,
    "resnet": _resnet,
    "convnext": _convnext,
    "efficientnet": _efficientnet,
  }
  kind = config.choose("model_type", kinds)
  name = config.need("model_type")
  ours, renamings = kind(config, processor.read(folder, _PROCESSORS[name]))
  config.finish(known.HUGGINGFACE[name])
  weights = sidecar.weights(
    folder, "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
  )
  tokenizer = None
  if isinstance(ours, SigLIPConfig):
    tokenizer = TokenizerFile(ours.tokenizer_sha256, str(folder / "tokenizer.json"))
  return Checkpoint(ours, weights, renamings, source, antialias=False, tokenizer=tokenizer)


def _tower(fields: Fields, default: _Tower) -> TowerConfig:
  """A transformer."""
  width = fields.count("hidden_size", default.width)
  heads = fields.count("num_attention_heads", default.heads)
  if width % heads:
    raise fields.error(f"hidden_size {width} is no multiple of num_attention_heads {heads}")
  return TowerConfig(
    width=width,
    layers=fields.count("num_hidden_layers", 12),
    heads=heads,
    mlp_width=fields.count("intermediate_size", default.mlp),
    activation=fields.choose("hidden_act", _ACTIVATIONS, default.activation),
    epsilon=fields.number("layer_norm_eps", default.epsilon),
  )


def _merged(config: Fields, key: str) -> Fields:
  """What early releases wrote beside it as "text_config_dict" wins."""
  both = config.sub(key).content | config.sub(f"{key}_dict").content
  return Fields(config.path, both, f"{key}: ")


def _clip(config: Fields, images: Images) -> tuple[Config, Renamings]:
  text, vision = _merged(config, "text_config"), _merged(config, "vision_config")
  if (words := text.count("vocab_size", VOCABULARY_SIZE)) != VOCABULARY_SIZE:
    raise text.error(f"vocab_size {words}: only CLIP's own {VOCABULARY_SIZE} tokens are known")
  size = vision.side("image_size", 224)
  ours = CLIPConfig(
    embed_dim=config.count("projection_dim", 512),
    vision=_tower(vision, _Tower(768, 3072, 12, "quick_gelu", 1e-5)),
    text=_tower(text, _Tower(512, 2048, 8, "quick_gelu", 1e-5)),
    patch_size=vision.side("patch_size", 32),
    context_length=text.count("max_position_embeddings", 77),
    **fitting(config.path, images, size)._asdict(),
  )
  text.finish(known.HUGGINGFACE_TEXT)
  vision.finish(known.HUGGINGFACE_VISION)
  return ours, layouts.clip()


def _siglip(config: Fields, images: Images) -> tuple[Config, Renamings]:
  text, vision = config.sub("text_config"), config.sub("vision_config")
  default = _Tower(768, 3072, 12, "gelu_pytorch_tanh", 1e-6)
  tower, size = _tower(text, default), vision.side("image_size", 224)
  words = sidecar.read(config.path.parent / "tokenizer_config.json")
  pad = words.need("pad_token")
  pad = words.sub("pad_token").need("content") if isinstance(pad, dict) else pad
  if not isinstance(pad, str):
    raise words.error(f"pad_token is {pad!r}, not a token")
  file = TokenizerFile("", str(config.path.parent / "tokenizer.json"))
  ours = SigLIPConfig(
    vision=_tower(vision, default),
    text=tower,
    embed_dim=text.count("projection_size", tower.width),
    patch_size=vision.side("patch_size", 16),
    vocabulary_size=text.count("vocab_size", 32_000),
    context_length=text.count("max_position_embeddings", 64),
    tokenizer_sha256=files.sha256((sidecar.weights(config.path.parent, "tokenizer.json"),)),
    pad_id=file.id_of(pad),
    **fitting(config.path, images, size)._asdict(),
  )
  text.finish(known.HUGGINGFACE_SIGLIP_TEXT)
  vision.finish(known.HUGGINGFACE_VISION)
  return ours, layouts.siglip()


def _classes(config: Fields) -> int:
  """Of a classifier; both fields are written by some releases, and then agree."""
  labels = config.sub("id2label").content
  count = config.count("num_labels", len(labels) or None)
  if "id2label" in config.content and count != len(labels):
    raise config.error(f"id2label has {len(labels)} classes, and num_labels is {count}")
  return count


def _vit(config: Fields, images: Images) -> tuple[Config, Renamings]:
  return ViTConfig(
    tower=_tower(config, _Tower(768, 3072, 12, "gelu", 1e-12)),
    patch_size=config.side("patch_size", 16),
    num_classes=_classes(config),
    **fitting(config.path, images, config.side("image_size", 224))._asdict(),
  ), layouts.vit()


def _resnet(config: Fields, images: Images) -> tuple[Config, Renamings]:
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


def _convnext(config: Fields, images: Images) -> tuple[Config, Renamings]:
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


def _efficientnet(config: Fields, images: Images) -> tuple[Config, Renamings]:
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
