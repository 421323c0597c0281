"""What open_clip writes: folders with open_clip_config.json, and rows of its published weights.

All its models that are read are CLIPs; OpenAI's archives are such, too.
"""

import dataclasses
import pathlib
from typing import Any

from jaxbench.models.architectures import Config, family
from jaxbench.models.clip import OPENAI_MEAN, OPENAI_STD, CLIPConfig
from jaxbench.models.family import OPEN_CLIP
from jaxbench.models.modified_resnet import ModifiedResNetConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.tokenizer import CONTEXT_LENGTH, VOCABULARY_SIZE
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.weights import sidecar
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.sidecar import Fields, Unread, words

CONFIG = "open_clip_config.json"
OPENAI = frozenset({"input_resolution", "context_length", "vocab_size"})  # Only in its archives.

# open_clip's own defaults, where they are what we build.
_BLOCKS: dict[str, tuple[Any, ...]] = {
  "act_kwargs": ({},),
  "block_type": ("default",),
  "final_ln_after_pool": (False,),
  "norm_kwargs": ({},),
  "output_tokens": (False,),
  "qk_norm": (False,),
  "scale_attn": (False,),
  "scale_attn_inner": (False,),
  "scale_fc": (False,),
  "scale_heads": (False,),
  "scaled_cosine_attn": (False,),
}
_MODEL_UNREAD = Unread(
  words("init_logit_scale"),
  {"custom_text": (False,), "multimodal_cfg": ({},), "nonscalar_logit_scale": (False,)},
)
_VISION_UNREAD = Unread(
  # Training; and parts of towers that are not configured: attentional pools, timm's models.
  words(
    """
    attn_pooler_heads attn_pooler_queries patch_dropout timm_drop timm_drop_path
    timm_model_pretrained timm_pool timm_proj timm_proj_bias
    """
  ),
  {
    **_BLOCKS,
    "attentional_pool": (False,),
    "no_ln_pre": (False,),
    "pool_type": ("tok",),
    "pos_embed_type": ("learnable",),
    "timm_model_name": ("",),
  },
)
_TEXT_UNREAD = Unread(
  # Of a tower from Hugging Face, or of another pool. Padding follows the end and is not seen.
  words("eos_id hf_model_pretrained hf_pooler_type hf_proj_type pad_id"),
  {
    **_BLOCKS,
    "embed_cls": (False,),
    "hf_model_name": ("",),
    "no_causal_mask": (False,),
    "pool_type": ("argmax",),
    "proj_bias": (False,),
    "proj_type": ("linear",),
    "tokenizer_kwargs": ({},),
    "tokenizer_mode": ("clip",),
  },
)
_IMAGES_UNREAD = Unread(
  # The fill colour is for `resize_mode` "longest", which is refused.
  words("fill_color"),
  {"mode": ("RGB",)},
)


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
  return Checkpoint(config, weights, family(config).layouts(config)[OPEN_CLIP][0], source)


def trained(network: CLIPConfig, row: Fields) -> CLIPConfig:
  """`network` as published weights have it, by their row in open_clip's table."""
  row.skip("hf_hub")
  quick = row.flag("quick_gelu", False)
  config = dataclasses.replace(network, **preprocessing(row, network.preprocess.size))
  if not quick:
    return config
  return dataclasses.replace(config, vision=_quick(config.vision), text=_quick(config.text))


def _quick(tower: Any) -> Any:
  is_transformer = isinstance(tower, TowerConfig)
  return dataclasses.replace(tower, activation="quick_gelu") if is_transformer else tower


def is_quick(config: Config) -> bool:
  """Whether these may be OpenAI's weights: they were all trained with quick_gelu."""
  return isinstance(config, CLIPConfig) and config.text.activation == "quick_gelu"


def _config(model: Fields, images: Fields) -> CLIPConfig:
  for key in ("vision_cfg", "text_cfg"):
    model.need(key)
  vision, text = model.sub("vision_cfg"), model.sub("text_cfg")
  if (tokens := text.count("vocab_size", VOCABULARY_SIZE)) != VOCABULARY_SIZE:
    raise text.error(f"vocab_size {tokens}: only CLIP's own {VOCABULARY_SIZE} tokens are known")
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
  model.finish(_MODEL_UNREAD)
  vision.finish(_VISION_UNREAD)
  text.finish(_TEXT_UNREAD)
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
  images.finish(_IMAGES_UNREAD)
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
