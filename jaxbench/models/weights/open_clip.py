"""What open_clip writes: folders with open_clip_config.json, and rows of its published weights.

Most of its models are CLIPs, and so are OpenAI's archives; a family of another kind says itself by
which networks of timm it is known, and reads its configuration.
"""

import dataclasses
import pathlib
from typing import Any

from jaxbench.models.architectures import FAMILIES, Config, family
from jaxbench.models.clip import CLIPConfig
from jaxbench.models.family import OPEN_CLIP
from jaxbench.models.modified_resnet import ModifiedResNetConfig
from jaxbench.models.tokenizer import CONTEXT_LENGTH, VOCABULARY_SIZE
from jaxbench.models.towers import TRUNKS
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.weights import open_clip_json, sidecar
from jaxbench.models.weights.checkpoint import Checkpoint, tokenizer_file
from jaxbench.models.weights.open_clip_json import BLOCKS, image_size, preprocessing, tower
from jaxbench.models.weights.sidecar import Fields, Unread, words

CONFIG = "open_clip_config.json"
OPENAI = frozenset({"input_resolution", "context_length", "vocab_size"})  # Only in its archives.

_MODEL_UNREAD = Unread(
  words("init_logit_scale"),
  {"multimodal_cfg": ({},), "nonscalar_logit_scale": (False,)},
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
    **BLOCKS,
    "attentional_pool": (False,),
    "final_ln_after_pool": (False,),
    "no_ln_pre": (False,),
    "pool_type": ("tok",),
    "pos_embed_type": ("learnable",),
  },
)
_TEXT_UNREAD = Unread(
  # Of a tower from Hugging Face, or of another pool. Padding follows the end and is not seen.
  words("eos_id hf_model_pretrained hf_pooler_type hf_proj_type pad_id"),
  {
    **BLOCKS,
    "embed_cls": (False,),
    "final_ln_after_pool": (False,),
    "no_causal_mask": (False,),
    "pool_type": ("argmax",),
    "proj_bias": (False,),
    "proj_type": ("linear",),
    "tokenizer_kwargs": ({},),
    "tokenizer_mode": ("clip",),
  },
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
  tokenizer = tokenizer_file(config, folder / "tokenizer.json")
  layouts = family(config).layouts(config)[OPEN_CLIP]
  return Checkpoint(config, weights, layouts, source, tokenizer=tokenizer)


def configuration(model: Fields, images: Fields, folder: pathlib.Path) -> Config:
  """What a `model_cfg` and a `preprocess_cfg` say, with the files beside them in `folder`."""
  for key in ("vision_cfg", "text_cfg"):
    model.need(key)
  trunk = str(model.sub("vision_cfg").get("timm_model_name", ""))
  for row in FAMILIES.values():
    if row.open_clip is not None and trunk in row.open_clip.trunks:
      return row.open_clip.read(model, images, folder)
  return _clip(model, images)


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


def _clip(model: Fields, images: Fields) -> CLIPConfig:
  vision, text = model.sub("vision_cfg"), model.sub("text_cfg")
  open_clip_json.refuse_huggingface(text)
  if (tokens := text.count("vocab_size", VOCABULARY_SIZE)) != VOCABULARY_SIZE:
    raise text.error(f"vocab_size {tokens}: only CLIP's own {VOCABULARY_SIZE} tokens are known")
  activation = "quick_gelu" if model.flag("quick_gelu", False) else "gelu"
  size = image_size(vision, images)
  seen, patch_size = _vision(vision, images, activation)
  config = CLIPConfig(
    embed_dim=model.count("embed_dim"),
    vision=seen,
    text=tower(text, text.count("width", 512), text.count("heads", 8), activation),
    patch_size=patch_size,
    context_length=text.count("context_length", CONTEXT_LENGTH),
    **preprocessing(images, size),
  )
  model.flag("custom_text", False)  # The names of the tensors say it, too, and may contradict.
  model.finish(_MODEL_UNREAD)
  text.finish(_TEXT_UNREAD)
  return config


def _vision(vision: Fields, images: Fields, activation: str) -> tuple[Any, int | None]:
  """The image tower, and its patch size if it has patches."""
  if name := str(vision.get("timm_model_name", "")):
    if name not in TRUNKS:
      raise vision.error(f"timm_model_name {name!r}: it is not built here; {open_clip_json.BRIDGE}")
    return _trunk(vision, images)
  if isinstance(vision.get("layers", 12), list):
    config: Any = _resnet(vision)
    patch_size = None
  else:
    width = vision.count("width", 768)
    config = tower(vision, width, width // vision.count("head_width", 64), activation)
    patch_size = vision.side("patch_size", 16)
  vision.finish(_VISION_UNREAD)
  return config, patch_size


def _trunk(vision: Fields, images: Fields) -> tuple[Any, int | None]:
  """A network of timm."""
  row, _ = TRUNKS[vision.need("timm_model_name")]
  sized, _ = open_clip_json.choose(vision, images, row.timm)
  return row.built(sized.config, open_clip_json.trunk(vision)), sized.patch_size


def _resnet(vision: Fields) -> ModifiedResNetConfig:
  width = vision.count("width", 768)
  vision.skip("mlp_ratio", "patch_size")  # A ResNet has neither.
  heads = width * 32 // vision.count("head_width", 64)
  if not heads or width * 32 % heads:
    raise vision.error(f"{width * 32} channels are no multiple of the number of heads, {heads}")
  return ModifiedResNetConfig(vision.counts("layers", []), width, heads)
