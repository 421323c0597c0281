"""Folders that open_clip writes: open_clip_config.json beside the weights."""

import pathlib
from typing import Any

from jaxbench.models.clip import OPENAI_MEAN, OPENAI_STD, CLIPConfig
from jaxbench.models.modified_resnet import ModifiedResNetConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.tokenizer import CONTEXT_LENGTH, VOCABULARY_SIZE
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.weights import sidecar
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.layouts import openai as layouts
from jaxbench.models.weights.sidecar import Fields

CONFIG = "open_clip_config.json"
# Fields of open_clip that say what we do too; any other one may change the numbers.
_MODEL = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_scale"}
_VISION = {"image_size", "layers", "width", "patch_size", "head_width", "mlp_ratio"}
_TEXT = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`; absent fields have open_clip's own defaults.

  Raises:
    InputError: a file or field is missing, or something we do not build is configured.
  """
  fields = sidecar.read(folder / CONFIG)
  model = Fields(fields.path, fields.need("model_cfg"))
  images = fields.sub("preprocess_cfg")
  weights = sidecar.weights(
    folder,
    "open_clip_model.safetensors",
    "open_clip_model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
  )
  return Checkpoint(_config(model, images), weights, layouts.clip(), source)


def _config(model: Fields, images: Fields) -> CLIPConfig:
  vision, text = (Fields(model.path, model.need(key)) for key in ("vision_cfg", "text_cfg"))
  for part, known in ((model, _MODEL), (vision, _VISION), (text, _TEXT)):
    if unknown := sorted(key for key in set(part.content) - known if part.content[key]):
      raise model.error(f"{unknown[0]!r} is set, which is not supported; load another format of it")
  if text.get("vocab_size", VOCABULARY_SIZE) != VOCABULARY_SIZE:
    raise model.error(f"vocab_size: only CLIP's own {VOCABULARY_SIZE} tokens are known")
  activation = "quick_gelu" if model.get("quick_gelu", False) else "gelu"
  size = images.get("size", None) or vision.get("image_size", 224)
  size = size[0] if isinstance(size, list) else size
  if size != vision.get("image_size", 224):
    raise model.error(f"preprocess_cfg says {size} pixels, model_cfg {vision.need('image_size')}")
  return CLIPConfig(
    embed_dim=model.need("embed_dim"),
    vision=_vision(vision, activation),
    text=_tower(text, text.get("width", 512), text.get("heads", 8), activation),
    patch_size=None if isinstance(vision.get("layers", 12), list) else vision.get("patch_size", 16),
    preprocess=_preprocess(images, size),
    mean=images.triple("mean") if images.get("mean", None) else OPENAI_MEAN,
    std=images.triple("std") if images.get("std", None) else OPENAI_STD,
    context_length=text.get("context_length", CONTEXT_LENGTH),
  )


def _preprocess(images: Fields, size: int) -> Preprocess:
  interpolation = images.get("interpolation", "bicubic")
  mode = images.get("resize_mode", "shortest")
  squash = images.choose("resize_mode", mode, {"shortest": False, "squash": True})
  known: dict[Any, str] = {"bicubic": "bicubic", "bilinear": "bilinear"}
  return Preprocess(
    size,
    interpolation=images.choose("interpolation", interpolation, known),
    squash=squash,
  )


def _vision(vision: Fields, activation: str) -> TowerConfig | ModifiedResNetConfig:
  layers, width = vision.get("layers", 12), vision.get("width", 768)
  head_width = vision.get("head_width", 64)
  if isinstance(layers, list):
    return ModifiedResNetConfig(tuple(layers), width, width * 32 // head_width)
  return _tower(vision, width, width // head_width, activation)


def _tower(fields: Fields, width: int, heads: int, activation: str) -> TowerConfig:
  mlp_width = int(width * fields.get("mlp_ratio", 4.0))
  return TowerConfig(width, fields.get("layers", 12), heads, mlp_width, activation)
