"""Folders that timm writes: config.json with its architecture's name, model.safetensors."""

import dataclasses
import math
import pathlib

from jaxbench.models.architectures import ARCHITECTURES, EFFICIENTNETS, Config
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.vgg import VGGConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights import sidecar
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.layouts import timm as layouts
from jaxbench.models.weights.layouts import torchvision
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.sidecar import Fields

_NAMES = {
  **{name: name for name in ARCHITECTURES if name.startswith(("resnet", "vgg", "convnext"))},
  **{f"efficientnet_{name}": f"efficientnet_{name}" for name in EFFICIENTNETS},
  **{f"tf_efficientnet_{name}": f"efficientnet_{name}" for name in EFFICIENTNETS},
  **{
    f"vit_base_patch{patch}_{size}": f"vit_b_{patch}" for patch in (32, 16) for size in (224, 384)
  },
}
_INTERPOLATION = {"bicubic": "bicubic", "bilinear": "bilinear"}


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`; preprocessing is that of its own `pretrained_cfg`.

  Raises:
    InputError: a file or field is missing, or the architecture is another one.
  """
  fields = sidecar.read(folder / "config.json")
  images = fields.sub("pretrained_cfg")
  if "architecture" not in fields.content:
    raise fields.error("neither transformers' (model_type) nor timm's (architecture)")
  name = fields.need("architecture")
  ours = ARCHITECTURES[fields.choose("architecture", name, _NAMES)]
  _check_arguments(fields.sub("model_args"))
  config = dataclasses.replace(
    ours,
    num_classes=fields.get("num_classes", None) or images.need("num_classes"),
    preprocess=_preprocess(images),
    mean=images.triple("mean"),
    std=images.triple("std"),
  )
  if isinstance(config, EfficientNetConfig):
    config = _efficientnet(config, name)
  weights = sidecar.weights(folder, "model.safetensors", "pytorch_model.bin")
  return Checkpoint(config, weights, _renamings(config), source)


def _efficientnet(config: EfficientNetConfig, name: str) -> EfficientNetConfig:
  """TensorFlow's weights ("tf_") have its padding and its batch norm's epsilon."""
  ported = name.startswith("tf_")
  return dataclasses.replace(config, epsilon=1e-3 if ported else 1e-5, same_padding=ported)


def _check_arguments(arguments: Fields) -> None:
  """Newer releases write down what the model was built with; most of it repeats the rest."""
  known = {"in_chans": (3,), "global_pool": ("avg", "token")}
  for key, value in arguments.content.items():
    if key not in ("num_classes", "img_size") and value not in known.get(key, ()):
      raise arguments.error(f"model_args {key}={value!r} changes the architecture: not supported")


def _preprocess(images: Fields) -> Preprocess:
  """As timm's validate.py: the size and crop for tests, where there are such."""
  size = (images.get("test_input_size", None) or images.need("input_size"))[-1]
  crop = images.get("test_crop_pct", None) or images.get("crop_pct", 0.875)
  resize = math.floor(size / crop)
  mode = images.get("crop_mode", "center")
  return Preprocess(
    size,
    resize,
    images.choose("interpolation", images.get("interpolation", "bicubic"), _INTERPOLATION),
    squash=images.choose("crop_mode", mode, {"center": False, "squash": True}),
  )


def _renamings(config: Config) -> Renamings:
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
