"""Folders that timm writes: config.json with its architecture's name, model.safetensors."""

import dataclasses
import math
import pathlib
from typing import Any

from jaxbench.models.architectures import ARCHITECTURES, EFFICIENTNETS, Config
from jaxbench.models.classifier import ClassifierConfig
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.vgg import VGGConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights import known, sidecar
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.layouts import timm as layouts
from jaxbench.models.weights.layouts import torchvision
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.sidecar import Fields

# Of each of timm's names, ours and what differs from it: TensorFlow's weights ("tf_") have its
# padding and its batch norm's epsilon.
NAMES: dict[str, tuple[str, dict[str, Any]]] = {
  **{
    name: (name, {})
    for name in ARCHITECTURES
    if name.startswith(("resnet", "vgg", "convnext")) and not name.endswith("-v2")
  },
  **{
    f"{prefix}efficientnet_{name}": (
      f"efficientnet_{name}",
      {"epsilon": epsilon, "same_padding": ported},
    )
    for prefix, epsilon, ported in (("", 1e-5, False), ("tf_", 1e-3, True))
    for name in EFFICIENTNETS
  },
  **{
    f"{name}_base_patch{patch}_{size}": (f"vit_b_{patch}", {})
    for name, patch in (("vit", 32), ("vit", 16), ("deit", 16))
    for size in (224, 384)
  },
}


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`; preprocessing is that of its own `pretrained_cfg`.

  Raises:
    InputError: a file or field is missing, a field is not known, or the architecture is another.
  """
  fields = sidecar.read(folder / "config.json")
  images = fields.sub("pretrained_cfg")
  if "architecture" not in fields.content:
    raise fields.error("neither transformers' (model_type) nor timm's (architecture)")
  config = named(fields.choose("architecture", {name: name for name in NAMES}))
  arguments = fields.sub("model_args")
  config = _built(config, arguments)
  pools = {"token" if isinstance(config, ViTConfig) else "avg": True}
  for part in (fields, arguments):
    part.choose("global_pool", pools, *pools)
  shown = preprocessing(images)
  count = fields.get("num_classes", shown.pop("num_classes"))
  if fields.count("num_classes", count) != arguments.count("num_classes", count):
    raise fields.error("num_classes contradicts model_args")
  if arguments.side("img_size", shown["preprocess"].size) != shown["preprocess"].size:
    raise arguments.error("img_size contradicts pretrained_cfg")
  fields.finish(known.TIMM)
  arguments.finish(known.TIMM_ARGUMENTS)
  weights = sidecar.weights(folder, "model.safetensors", "pytorch_model.bin")
  config = dataclasses.replace(config, num_classes=count, **shown)
  return Checkpoint(config, weights, renamings(config), source)


def named(name: str) -> ClassifierConfig:
  """The architecture that timm calls `name`; how its images come is for each of its weights."""
  ours, changes = NAMES[name]
  config = ARCHITECTURES[ours]
  assert isinstance(config, ClassifierConfig)
  return dataclasses.replace(config, **changes)


def _built(config: ClassifierConfig, arguments: Fields) -> ClassifierConfig:
  """`config` with the sizes of a ViT that was built otherwise than its name says."""
  if not isinstance(config, ViTConfig):
    return config
  old = config.tower
  width, heads = arguments.count("embed_dim", old.width), arguments.count("num_heads", old.heads)
  if width % heads:
    raise arguments.error(f"embed_dim {width} is no multiple of num_heads {heads}")
  mlp_width = int(width * arguments.number("mlp_ratio", old.mlp_width / old.width))
  if mlp_width < 1:
    raise arguments.error("mlp_ratio leaves the MLP no width")
  tower = dataclasses.replace(
    old,
    width=width,
    layers=arguments.count("depth", old.layers),
    heads=heads,
    mlp_width=mlp_width,
  )
  patch = arguments.side("patch_size", config.patch_size)
  return dataclasses.replace(config, tower=tower, patch_size=patch)


def preprocessing(images: Fields) -> dict[str, Any]:
  """Fields of our configurations from a `pretrained_cfg`, as timm's validate.py takes them.

  That is, at the size and crop for tests, where there are such.
  """
  sizes = [_square(images, key) for key in ("input_size", "test_input_size")]
  size = sizes[1] or sizes[0] or 224
  crop = images.number("crop_pct", 0.875)
  crop = images.number("test_crop_pct", crop)
  if not 0 < crop <= 1:
    raise images.error(f"a crop of {crop} is not between 0 and 1")
  shown = {
    "preprocess": Preprocess(
      size,
      math.floor(size / crop),
      images.choose("interpolation", {"bicubic": "bicubic", "bilinear": "bilinear"}, "bicubic"),
      squash=images.choose("crop_mode", {"center": False, "squash": True}, "center"),
    ),
    "mean": images.triple("mean"),
    "std": images.deviations("std"),
    "num_classes": images.get("num_classes", None),
  }
  images.finish(known.TIMM_IMAGES)
  return shown


def _square(images: Fields, key: str) -> int | None:
  """Of [channels, height, width], the side."""
  value = images.get(key, None)
  if value is None:
    return None
  if not isinstance(value, list | tuple) or len(value) != 3 or value[0] != 3:
    raise images.error(f"{key} is {value!r}, not [3, height, width]")
  return Fields(images.path, {key: list(value[1:])}, images.place).side(key)


def renamings(config: Config) -> Renamings:
  """Where timm keeps the tensors of an architecture."""
  match config:
    case VGGConfig():
      return layouts.vgg(config)
    case EfficientNetConfig():
      return layouts.efficientnet()
    case ViTConfig():
      return layouts.vit()
    case ConvNeXtConfig():
      return layouts.convnext()
  return torchvision.resnet()
