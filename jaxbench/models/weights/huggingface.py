"""Folders that transformers writes: config.json, model.safetensors, preprocessor_config.json."""

import math
import pathlib

from jaxbench.models.architectures import Config
from jaxbench.models.clip import CLIPConfig
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig, Stage, round_channels
from jaxbench.models.resnet import ResNetConfig
from jaxbench.models.siglip import SigLIPConfig
from jaxbench.models.tokenizer import VOCABULARY_SIZE, TokenizerFile
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights import files, processor, sidecar
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.layouts import huggingface as layouts
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.sidecar import Fields

_ACTIVATIONS = {
  "quick_gelu": "quick_gelu",
  "gelu": "gelu",
  "gelu_pytorch_tanh": "gelu_tanh",
  "gelu_new": "gelu_tanh",
}


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`, by the `model_type` of its config.json.

  Where a field is absent, the default of transformers' configuration class holds.

  Raises:
    InputError: a file or field is missing, or the model is of another kind.
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
  kind = config.choose("model_type", config.need("model_type"), kinds)
  ours, renamings = kind(config, processor.read(folder))
  weights = sidecar.weights(
    folder, "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
  )
  tokenizer = None
  if isinstance(ours, SigLIPConfig):
    tokenizer = TokenizerFile(ours.tokenizer_sha256, str(folder / "tokenizer.json"))
  return Checkpoint(ours, weights, renamings, source, antialias=False, tokenizer=tokenizer)


def _tower(fields: Fields, width: int, mlp: int, heads: int, act: str, eps: float) -> TowerConfig:
  """A transformer; the arguments are the defaults of transformers' configuration class."""
  return TowerConfig(
    width=fields.get("hidden_size", width),
    layers=fields.get("num_hidden_layers", 12),
    heads=fields.get("num_attention_heads", heads),
    mlp_width=fields.get("intermediate_size", mlp),
    activation=fields.choose("hidden_act", fields.get("hidden_act", act), _ACTIVATIONS),
    epsilon=fields.get("layer_norm_eps", eps),
  )


def _clip(config: Fields, images: Fields) -> tuple[Config, Renamings]:
  # "text_config_dict" is what early releases wrote beside it, and it wins.
  text = Fields(
    config.path, {**config.get("text_config", {}), **config.get("text_config_dict", {})}
  )
  vision = Fields(
    config.path, {**config.get("vision_config", {}), **config.get("vision_config_dict", {})}
  )
  if text.get("vocab_size", VOCABULARY_SIZE) != VOCABULARY_SIZE:
    raise config.error(
      f"vocab_size {text.need('vocab_size')}: only CLIP's own {VOCABULARY_SIZE} tokens are known"
    )
  preprocess = processor.resize_and_crop(images, square=False, crops=True)
  return CLIPConfig(
    embed_dim=config.get("projection_dim", 512),
    vision=_tower(vision, 768, 3072, 12, "quick_gelu", 1e-5),
    text=_tower(text, 512, 2048, 8, "quick_gelu", 1e-5),
    patch_size=vision.get("patch_size", 32),
    preprocess=processor.fitting(images, preprocess, vision.get("image_size", 224)),
    context_length=text.get("max_position_embeddings", 77),
    **processor.normalisation(images),
  ), layouts.clip()


def _siglip(config: Fields, images: Fields) -> tuple[Config, Renamings]:
  text, vision = config.sub("text_config"), config.sub("vision_config")
  tower = _tower(text, 768, 3072, 12, "gelu_pytorch_tanh", 1e-6)
  words = sidecar.read(config.path.parent / "tokenizer_config.json")
  pad = words.need("pad_token")
  pad = pad["content"] if isinstance(pad, dict) else pad
  file = TokenizerFile("", str(config.path.parent / "tokenizer.json"))
  preprocess = processor.resize_and_crop(images, square=True, crops=False)
  return SigLIPConfig(
    vision=_tower(vision, 768, 3072, 12, "gelu_pytorch_tanh", 1e-6),
    text=tower,
    embed_dim=text.get("projection_size", tower.width),
    patch_size=vision.get("patch_size", 16),
    preprocess=processor.fitting(images, preprocess, vision.get("image_size", 224)),
    vocabulary_size=text.get("vocab_size", 32_000),
    context_length=text.get("max_position_embeddings", 64),
    tokenizer_sha256=files.sha256((sidecar.weights(config.path.parent, "tokenizer.json"),)),
    pad_id=file.id_of(pad),
    **processor.normalisation(images),
  ), layouts.siglip()


def _classes(config: Fields) -> int:
  return len(config.need("id2label")) if "id2label" in config.content else config.need("num_labels")


def _vit(config: Fields, images: Fields) -> tuple[Config, Renamings]:
  preprocess = processor.resize_and_crop(images, square=True, crops=False)
  return ViTConfig(
    tower=_tower(config, 768, 3072, 12, "gelu", 1e-12),
    patch_size=config.get("patch_size", 16),
    num_classes=_classes(config),
    preprocess=processor.fitting(images, preprocess, config.get("image_size", 224)),
    **processor.normalisation(images),
  ), layouts.vit()


def _resnet(config: Fields, images: Fields) -> tuple[Config, Renamings]:
  widths = config.get("hidden_sizes", [256, 512, 1024, 2048])
  bottleneck = config.get("layer_type", "bottleneck") == "bottleneck"
  width = config.get("embedding_size", 64)
  expected = [width * 2**i * (4 if bottleneck else 1) for i in range(len(widths))]
  if config.get("downsample_in_bottleneck", False) or config.get(
    "downsample_in_first_stage", False
  ):
    raise config.error("a ResNet with its strides elsewhere than v1.5 has them is not supported")
  if config.get("hidden_act", "relu") != "relu" or widths != expected:
    raise config.error(f"hidden_sizes {widths} and hidden_act are not those of a ResNet v1.5")
  return ResNetConfig(
    depths=tuple(config.get("depths", [3, 4, 6, 3])),
    width=width,
    bottleneck=bottleneck,
    num_classes=_classes(config),
    preprocess=processor.crop_fraction(images),
    **processor.normalisation(images),
  ), layouts.resnet()


def _convnext(config: Fields, images: Fields) -> tuple[Config, Renamings]:
  config.choose("hidden_act", config.get("hidden_act", "gelu"), {"gelu": "gelu"})
  return ConvNeXtConfig(
    depths=tuple(config.get("depths", [3, 3, 9, 3])),
    widths=tuple(config.get("hidden_sizes", [96, 192, 384, 768])),
    head_epsilon=config.get("layer_norm_eps", 1e-12),
    num_classes=_classes(config),
    preprocess=processor.crop_fraction(images),
    **processor.normalisation(images),
  ), layouts.convnext()


def _efficientnet(config: Fields, images: Fields) -> tuple[Config, Renamings]:
  width, divisor = config.get("width_coefficient", 2.0), config.get("depth_divisor", 8)
  scales = {
    "num_block_repeats": [1, 2, 2, 3, 3, 4, 1],
    "out_channels": [16, 24, 40, 80, 112, 192, 320],
    "kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "strides": [1, 2, 2, 2, 1, 2, 1],
    "expand_ratios": [1, 6, 6, 6, 6, 6, 6],
  }
  columns = [config.get(name, default) for name, default in scales.items()]
  normalisation = processor.normalisation(images)
  if images.get("include_top", True):  # This processor divides by std a second time.
    normalisation["std"] = tuple(std * std for std in normalisation["std"])
  ours = EfficientNetConfig(
    stem=round_channels(32 * width, divisor),
    stages=tuple(
      Stage(
        math.ceil(config.get("depth_coefficient", 3.1) * depth),
        round_channels(channels * width, divisor),
        kernel,
        stride,
        expand,
      )
      for depth, channels, kernel, stride, expand in zip(*columns, strict=True)
    ),
    head=config.get("hidden_dim", 2560),
    epsilon=config.get("batch_norm_eps", 1e-3),
    same_padding=True,
    num_classes=_classes(config),
    preprocess=processor.resize_and_crop(images, square=True, crops=False),
    **normalisation,
  )
  return ours, layouts.efficientnet(ours)
