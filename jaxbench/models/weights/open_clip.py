"""Folders that open_clip writes: open_clip_config.json beside the weights."""

import pathlib
from typing import Any

from jaxbench.models.clip import OPENAI_MEAN, OPENAI_STD, CLIPConfig
from jaxbench.models.modified_resnet import ModifiedResNetConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.tokenizer import CONTEXT_LENGTH, VOCABULARY_SIZE
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.weights import known, sidecar
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.layouts import openai as layouts
from jaxbench.models.weights.sidecar import Fields

CONFIG = "open_clip_config.json"


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`; absent fields have open_clip's own defaults.

  Raises:
    InputError: a file or field is missing, or something we do not build is configured.
  """
  fields = sidecar.read(folder / CONFIG)
  fields.need("model_cfg")
  config = _config(fields.sub("model_cfg"), fields.sub("preprocess_cfg"))
  fields.finish(sidecar.NOTHING)
  weights = sidecar.weights(
    folder,
    "open_clip_model.safetensors",
    "open_clip_model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
  )
  return Checkpoint(config, weights, layouts.clip(), source)


def _config(model: Fields, images: Fields) -> CLIPConfig:
  for key in ("vision_cfg", "text_cfg"):
    model.need(key)
  vision, text = model.sub("vision_cfg"), model.sub("text_cfg")
  if (words := text.count("vocab_size", VOCABULARY_SIZE)) != VOCABULARY_SIZE:
    raise text.error(f"vocab_size {words}: only CLIP's own {VOCABULARY_SIZE} tokens are known")
  activation = "quick_gelu" if model.flag("quick_gelu", False) else "gelu"
  trained = vision.side("image_size", 224)
  if (size := images.side("size", trained)) != trained:
    raise images.error(f"size is {size} pixels, image_size of the model is {trained}")
  is_resnet = isinstance(vision.get("layers", 12), list)
  config = CLIPConfig(
    embed_dim=model.count("embed_dim"),
    vision=_resnet(vision) if is_resnet else _vision(vision, activation),
    text=_tower(text, text.count("width", 512), text.count("heads", 8), activation),
    patch_size=None if is_resnet else vision.side("patch_size", 16),
    context_length=text.count("context_length", CONTEXT_LENGTH),
    **preprocessing(images, trained),
  )
  model.finish(known.OPEN_CLIP_MODEL)
  vision.finish(known.OPEN_CLIP_VISION)
  text.finish(known.OPEN_CLIP_TEXT)
  return config


def preprocessing(images: Fields, size: int) -> dict[str, Any]:
  """Fields of our configurations from a `preprocess_cfg`, for a model of `size` pixels."""
  preprocess = Preprocess(
    size,
    interpolation=images.choose(
      "interpolation", {"bicubic": "bicubic", "bilinear": "bilinear"}, "bicubic"
    ),
    squash=images.choose("resize_mode", {"shortest": False, "squash": True}, "shortest"),
  )
  mean = images.triple("mean") if images.get("mean", None) is not None else OPENAI_MEAN
  std = images.deviations("std") if images.get("std", None) is not None else OPENAI_STD
  images.skip("size")
  images.finish(known.OPEN_CLIP_IMAGES)
  return {"preprocess": preprocess, "mean": mean, "std": std}


def _resnet(vision: Fields) -> ModifiedResNetConfig:
  width = vision.count("width", 768)
  vision.skip("mlp_ratio", "patch_size")  # A ResNet has neither.
  heads = width * 32 // vision.count("head_width", 64)
  if not heads or width * 32 % heads:
    raise vision.error(f"{width * 32} channels are no multiple of the number of heads, {heads}")
  return ModifiedResNetConfig(vision.counts("layers", []), width, heads)


def _vision(vision: Fields, activation: str) -> TowerConfig:
  width = vision.count("width", 768)
  return _tower(vision, width, width // vision.count("head_width", 64), activation)


def _tower(fields: Fields, width: int, heads: int, activation: str) -> TowerConfig:
  if not heads or width % heads:
    raise fields.error(f"width {width} is no multiple of the number of heads, {heads}")
  mlp_width = int(width * fields.number("mlp_ratio", 4.0))
  if mlp_width < 1:
    raise fields.error("mlp_ratio leaves the MLP no width")
  return TowerConfig(width, fields.count("layers", 12), heads, mlp_width, activation)
