"""What open_clip writes: folders with open_clip_config.json, and rows of its published weights.

Most of its models are CLIPs, and so are OpenAI's archives; a family of another kind says itself by
which networks of timm it is known, and reads its configuration.
"""

import dataclasses
import pathlib
from typing import Any

from jaxbench.models.architectures import ARCHITECTURES, FAMILIES, Config, family
from jaxbench.models.encoders import roberta
from jaxbench.models.encoders.clip import CLIPConfig
from jaxbench.models.encoders.modified_resnet import ModifiedResNetConfig
from jaxbench.models.encoders.text_transformer import TextOptions
from jaxbench.models.encoders.tokenizer import CONTEXT_LENGTH, VOCABULARY_SIZE
from jaxbench.models.encoders.towers import TRUNKS
from jaxbench.models.encoders.vision_transformer import VisionOptions
from jaxbench.models.family import OPEN_CLIP
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.weights import open_clip_json, sidecar
from jaxbench.models.weights.checkpoint import Checkpoint, tokenizer_file
from jaxbench.models.weights.open_clip_json import BLOCKS, image_size, preprocessing, tower
from jaxbench.models.weights.sidecar import Fields, Unread, words

CONFIG = "open_clip_config.json"
OPENAI = frozenset({"input_resolution", "context_length", "vocab_size"})  # Only in its archives.

# Training, and parts of towers that are not configured: other pools, models of timm, transformers.
_MODEL_UNREAD = Unread(words("init_logit_scale"), {"nonscalar_logit_scale": (False,)})
_VISION_UNREAD = Unread(
  words(
    """
    attn_pooler_heads attn_pooler_queries patch_dropout timm_drop timm_drop_path
    timm_model_pretrained timm_pool timm_proj timm_proj_bias
    """
  ),
  # A position embedding of sines is stored as one that was learnt.
  {**BLOCKS, "pos_embed_type": ("learnable", "sin_cos_2d")},
)
_TEXT_UNREAD = Unread(
  words("eos_id hf_model_pretrained hf_pooler_type hf_proj_type pad_id"),
  {**BLOCKS, "final_ln_after_pool": (False,), "tokenizer_mode": ("clip",)},
)
# What shapes a text tower of open_clip's own, and no other.
_OWN_TEXT = words(
  """
  act_kwargs embed_cls heads layers ls_init_value mlp_ratio no_causal_mask norm_kwargs pool_type
  proj_bias proj_type vocab_size width
  """
)


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`; absent fields have open_clip's own defaults.

  Raises:
    InputError: a file or field is missing, or something we do not build is configured.
  """
  fields = sidecar.read(folder / CONFIG)
  fields.need("model_cfg")
  model, images = fields.sub("model_cfg"), fields.sub("preprocess_cfg")
  config = configuration(model, images, folder)
  fields.finish(sidecar.NOTHING)
  weights = sidecar.weights(
    folder,
    "open_clip_model.safetensors",
    "open_clip_model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
  )
  left = ""
  if model.get("multimodal_cfg", {}):  # CoCa's, which writes texts and judges none.
    left, source = "text_decoder.", f"{source}, without its text decoder"
  return Checkpoint(
    config,
    weights,
    family(config).layouts(config)[OPEN_CLIP],
    source,
    tokenizer=tokenizer_file(config, folder / "tokenizer.json"),
    left=left,
  )


def configuration(model: Fields, images: Fields, folder: pathlib.Path) -> Config:
  """What a `model_cfg` and a `preprocess_cfg` say, with the files beside them in `folder`."""
  for key in ("vision_cfg", "text_cfg"):
    model.need(key)
  trunk = str(model.sub("vision_cfg").get("timm_model_name", ""))
  for row in FAMILIES.values():
    if row.open_clip is not None and trunk in row.open_clip.trunks:
      return row.open_clip.read(model, images, folder)
  return _clip(model, images, folder)


def ours(name: str) -> str:
  """Our name for a model of open_clip: a classifier may have that of its image tower."""
  known = name in ARCHITECTURES and not ARCHITECTURES[name].supervised
  return name if known else f"{name}_clip"


def trained(network: Config, row: Fields) -> Config:
  """`network` as published weights have it, by their row in open_clip's table."""
  row.skip("hf_hub")
  quick = row.flag("quick_gelu", False)
  config = dataclasses.replace(network, **preprocessing(row, network.preprocess.size))
  if not quick or not isinstance(config, CLIPConfig):
    return config
  return dataclasses.replace(config, vision=_quick(config.vision), text=_quick(config.text))


def _quick(config: Any) -> Any:
  is_transformer = isinstance(config, TowerConfig)
  return dataclasses.replace(config, activation="quick_gelu") if is_transformer else config


def is_quick(config: Config) -> bool:
  """Whether these may be OpenAI's weights: they were all trained with quick_gelu."""
  return isinstance(config, CLIPConfig) and config.text.activation == "quick_gelu"


def _clip(model: Fields, images: Fields, folder: pathlib.Path) -> CLIPConfig:
  vision, text = model.sub("vision_cfg"), model.sub("text_cfg")
  activation = "quick_gelu" if model.flag("quick_gelu", False) else "gelu"
  size, embed_dim = image_size(vision, images), model.count("embed_dim")
  config = CLIPConfig(
    embed_dim=embed_dim,
    **_vision(vision, images, activation, embed_dim),
    **_text(text, activation, embed_dim),
    context_length=text.count("context_length", CONTEXT_LENGTH),
    tokenizer=open_clip_json.tokenizer(text, folder),
    **preprocessing(images, size),
  )
  if config.tokenizer is None and config.vocabulary_size < VOCABULARY_SIZE:
    raise text.error(
      f"vocab_size {config.vocabulary_size}: CLIP's own tokenizer has {VOCABULARY_SIZE} tokens, "
      "and no hf_tokenizer_name says another"
    )
  model.sub("multimodal_cfg")
  model.flag("custom_text", False)  # The names of the tensors say it, too, and may contradict.
  model.finish(_MODEL_UNREAD)
  text.finish(_TEXT_UNREAD)
  return config


def _text(text: Fields, activation: str, embed_dim: int) -> dict[str, Any]:
  """The fields of the text tower."""
  if name := str(text.get("hf_model_name", "")):
    if name not in roberta.NAMED:
      open_clip_json.refuse_huggingface(text)
    return _roberta(text, name)
  return {
    "text": tower(text, text.count("width", 512), text.count("heads", 8), activation),
    "vocabulary_size": text.count("vocab_size", VOCABULARY_SIZE),
    "text_options": _text_options(text, embed_dim),
  }


def _roberta(text: Fields, name: str) -> dict[str, Any]:
  """A text tower of transformers, whose name says all its sizes."""
  config, words = roberta.NAMED[name]
  text.skip(*_OWN_TEXT)
  text.need("hf_tokenizer_name")
  text.choose("hf_pooler_type", {"mean_pooler": True}, "mean_pooler")
  hidden = text.choose("hf_proj_type", {"mlp": True, "linear": False}, "mlp")
  return {"text": dataclasses.replace(config, hidden=hidden), "vocabulary_size": words}


def _text_options(text: Fields, embed_dim: int) -> TextOptions:
  linear = text.flag("proj_bias", False)
  options = TextOptions(
    causal=not text.flag("no_causal_mask", False),
    pool=text.choose(
      "pool_type", {"argmax": "highest", "eos": "end", "first": "first", "last": "last"}, "argmax"
    ),
    end_id=text.whole("eos_id", 2) if text.get("pool_type", None) == "eos" else 0,
    class_token=text.flag("embed_cls", False),
    projection=text.choose(
      "proj_type", {"linear": "linear" if linear else "matrix", "none": "none"}, "linear"
    ),
  )
  if options.class_token:
    options = dataclasses.replace(options, pad_id=text.whole("pad_id", 0))
  if options.projection == "none" and text.count("width", 512) != embed_dim:
    raise text.error(f"proj_type is 'none', and width is not embed_dim, {embed_dim}")
  return options


def _vision(vision: Fields, images: Fields, activation: str, embed_dim: int) -> dict[str, Any]:
  """The fields of the image tower."""
  if name := str(vision.get("timm_model_name", "")):
    if name not in TRUNKS:
      raise vision.error(f"timm_model_name {name!r}: it is not built here; {open_clip_json.BRIDGE}")
    return _trunk(vision, images)
  fields: dict[str, Any]
  if isinstance(vision.get("layers", 12), list):
    fields = {"vision": _resnet(vision), "patch_size": None}
    vision.choose("pool_type", {"tok": ""}, "tok")
  else:
    width = vision.count("width", 768)
    fields = {
      "vision": tower(vision, width, width // vision.count("head_width", 64), activation),
      "patch_size": vision.side("patch_size", 16),
      "vision_options": _vision_options(vision, width, embed_dim),
    }
  vision.finish(_VISION_UNREAD)
  return fields


def _vision_options(vision: Fields, width: int, embed_dim: int) -> VisionOptions:
  pre_norm = not vision.flag("no_ln_pre", False)
  after = vision.flag("final_ln_after_pool", False)
  pool = vision.choose("pool_type", {"tok": "token", "avg": "patches"}, "tok")
  if not vision.choose("attentional_pool", {True: True, False: False}, False):
    return VisionOptions(pre_norm, pool, after and pool == "patches")
  if pool != "token":
    raise vision.error("attentional_pool is true, and pool_type 'avg': not built together")
  if width == embed_dim:  # torch keeps the projections of the pool otherwise then.
    raise vision.error(f"attentional_pool with embed_dim {embed_dim}, the width: not built")
  queries, heads = vision.count("attn_pooler_queries", 256), vision.count("attn_pooler_heads", 8)
  if embed_dim % heads:
    raise vision.error(f"embed_dim {embed_dim} is no multiple of attn_pooler_heads {heads}")
  return VisionOptions(pre_norm, "query", queries=queries, query_heads=heads)


def _trunk(vision: Fields, images: Fields) -> dict[str, Any]:
  """A network of timm."""
  row, _ = TRUNKS[vision.need("timm_model_name")]
  sized, _ = open_clip_json.choose(vision, images, row.timm)
  config = row.built(sized.config, open_clip_json.trunk(vision))
  return {"vision": config, "patch_size": sized.patch_size}


def _resnet(vision: Fields) -> ModifiedResNetConfig:
  width = vision.count("width", 768)
  vision.skip("mlp_ratio", "patch_size")  # A ResNet has neither.
  heads = width * 32 // vision.count("head_width", 64)
  if not heads or width * 32 % heads:
    raise vision.error(f"{width * 32} channels are no multiple of the number of heads, {heads}")
  return ModifiedResNetConfig(vision.counts("layers", []), width, heads)
