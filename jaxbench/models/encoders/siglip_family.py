"""SigLIP and SigLIP 2 as transformers and open_clip have them: names of tensors, readers."""

import math
import pathlib

from jaxbench.models.encoders.dual_encoder import OPEN_CLIP_KEYS, ROOT_KEYS, TOWER_KEYS
from jaxbench.models.encoders.siglip import SigLIP, SigLIPConfig
from jaxbench.models.encoders.siglip_sizes import PUBLISHED, TRUNKS
from jaxbench.models.encoders.tokenizer_file import Beside, TokenizerConfig
from jaxbench.models.family import (
  HUGGINGFACE,
  OPEN_CLIP,
  Family,
  OpenCLIP,
  Transformers,
)
from jaxbench.models.weights import config_json, open_clip_json
from jaxbench.models.weights.config_json import Vision
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields, Unread, words

_HUGGINGFACE: Renamings = (
  *TOWER_KEYS,
  (r"^visual\.head\.in_proj\.(weight|bias)", r"visual.head.attention.in_proj_\1"),
  (r"^visual\.head\.out_proj", "visual.head.attention.out_proj"),
  (r"^bias$", "logit_bias"),
  *ROOT_KEYS,
)
# Its patches go through a linear layer, from pixels in rows.
_NAFLEX: Renamings = (
  *_HUGGINGFACE,
  (r"(patch_embedding\.weight)$", r"\1.T"),
)
# The image tower is a network of timm.
_OPEN_CLIP: Renamings = (
  (r"^visual\.transformer\.resblocks", "visual.blocks"),
  (r"^(visual\.blocks.*)ln_([12])", r"\1norm\2"),
  (r"^(visual\.blocks.*)attn\.in_proj", r"\1attn.qkv"),
  (r"^(visual\.blocks.*)attn\.out_proj", r"\1attn.proj"),
  (r"^(visual.*)mlp\.c_fc", r"\1mlp.fc1"),
  (r"^(visual.*)mlp\.c_proj", r"\1mlp.fc2"),
  (r"^visual\.conv1", "visual.patch_embed.proj"),
  (r"^visual\.positional_embedding", "visual.pos_embed"),
  (r"^visual\.ln_post", "visual.norm"),
  (r"^visual\.head\.probe", "visual.attn_pool.latent"),
  (r"^visual\.head\.in_proj", "visual.attn_pool.{q,kv}"),
  (r"^visual\.head\.out_proj", "visual.attn_pool.proj"),
  (r"^visual\.head\.layernorm", "visual.attn_pool.norm"),
  (r"^visual\.head\.", "visual.attn_pool."),
  (r"^visual\.", "visual.trunk."),
  (r"^bias$", "logit_bias"),
  *OPEN_CLIP_KEYS,
)

_DEFAULT = config_json.Defaults(768, 3072, 12, "gelu_pytorch_tanh", 1e-6)
_TOWER_UNREAD = (
  config_json.COMMON | config_json.TRAINING | {"eos_token_id", "id2label", "model_type"}
)
_VISION_UNREAD = Unread(
  _TOWER_UNREAD | {"projection_dim"}, {**config_json.IMAGE, "vision_use_head": (True,)}
)


def _read(fields: Fields, images: Images) -> SigLIPConfig:
  """SiglipModel, and the tokenizer beside it."""
  return _with_text(fields, images, _read_vision(fields.sub("vision_config")))


def _read_naflex(fields: Fields, images: Images) -> SigLIPConfig:
  """Siglip2Model, for images of the shape of its own table of positions."""
  vision = fields.sub("vision_config")
  tower, patch = config_json.tower(vision, _DEFAULT), vision.side("patch_size", 16)
  patches = vision.count("num_patches", 256)
  vision.finish(_VISION_UNREAD)
  return _with_text(fields, images, Vision(tower, patch, patch * math.isqrt(patches)))


def _with_text(fields: Fields, images: Images, seen: Vision) -> SigLIPConfig:
  """The whole, and the tokenizer beside it."""
  text = fields.sub("text_config")
  text_tower = config_json.tower(text, _DEFAULT)
  config = SigLIPConfig(
    vision=seen.tower,
    text=text_tower,
    embed_dim=text.count("projection_size", text_tower.width),
    patch_size=seen.patch_size,
    vocabulary_size=text.count("vocab_size", 32_000),
    context_length=text.count("max_position_embeddings", 64),
    tokenizer=_tokenizer(fields.path.parent),
    **fitting(fields.path, images, seen.size)._asdict(),
  )
  text.finish(Unread(_TOWER_UNREAD, config_json.PLAIN))
  return config


def _read_vision(fields: Fields) -> Vision:
  """SiglipVisionModel."""
  tower = config_json.tower(fields, _DEFAULT)
  seen = Vision(tower, fields.side("patch_size", 16), fields.side("image_size", 224))
  fields.finish(_VISION_UNREAD)
  return seen


def _tokenizer(folder: pathlib.Path) -> TokenizerConfig:
  """What transformers does with texts: its tokenizer for SigLIP strips punctuation, too.

  SigLIP 2 was trained on lowercased text; not every tokenizer.json of it says so.
  """
  beside = Beside(folder)
  kind = str(beside.fields.get("tokenizer_class", "")).removesuffix("Fast")
  clean = "siglip" if kind == "SiglipTokenizer" else "siglip2"
  if clean == "siglip" and not beside.fields.flag("do_lower_case", True):
    raise beside.fields.error("do_lower_case is false: SigLIP was trained on lowercased text")
  left = beside.pad_left("left" if kind in ("GemmaTokenizer", "Siglip2Tokenizer") else "right")
  return TokenizerConfig(beside.sha256, beside.id_of("pad_token"), clean, left)


# Training; and what belongs to other text towers.
_TEXT_UNREAD = Unread(
  words("eos_id hf_model_pretrained hf_pooler_type hf_proj_type hf_tokenizer_name pad_id"),
  {
    **open_clip_json.BLOCKS,
    "embed_cls": (False,),
    "final_ln_after_pool": (False,),
    "tokenizer_mode": ("",),
  },
)
_MODEL_UNREAD = Unread(
  words("init_logit_bias init_logit_scale"),
  {"custom_text": (True,), "nonscalar_logit_scale": (False,), "quick_gelu": (False,)},
)


def _read_open_clip(model: Fields, images: Fields, folder: pathlib.Path) -> SigLIPConfig:
  """CustomTextCLIP on a SigLIP of timm."""
  vision, text = model.sub("vision_cfg"), model.sub("text_cfg")
  open_clip_json.refuse_huggingface(text)
  sized, size = open_clip_json.choose(vision, images, TRUNKS)
  assert sized.patch_size is not None
  open_clip_json.trunk(vision).require(("map",), ("none",))
  model.need("init_logit_bias")
  text.choose("no_causal_mask", {True: True})
  text.choose("pool_type", {"last": True})
  has_head = text.choose("proj_type", {"linear": True, "none": False}, "linear")
  if not text.flag("proj_bias", False) and has_head:
    raise text.error("proj_bias is false: a SigLIP's projection of texts has one")
  tower = open_clip_json.tower(text, text.count("width", 512), text.count("heads", 8), "gelu")
  embed_dim = model.count("embed_dim")
  widths = (sized.config.width, embed_dim if has_head else tower.width)
  if set(widths) != {embed_dim}:
    raise model.error(f"embed_dim is {embed_dim}, and the towers give {widths[0]} and {widths[1]}")
  text.need("hf_tokenizer_name")
  tokenizer = open_clip_json.tokenizer(text, folder)
  assert tokenizer is not None
  config = SigLIPConfig(
    vision=sized.config,
    text=tower,
    embed_dim=embed_dim,
    patch_size=sized.patch_size,
    vocabulary_size=text.count("vocab_size", 49_408),
    context_length=text.count("context_length", 77),
    tokenizer=tokenizer,
    text_head=has_head,
    **open_clip_json.preprocessing(images, size),
  )
  text.finish(_TEXT_UNREAD)
  model.finish(_MODEL_UNREAD)
  return config


FAMILY = Family(
  name="siglip",
  config=SigLIPConfig,
  module=SigLIP,
  named={name: config for name, (_, config) in PUBLISHED.items()},
  sources={
    name: (*([f"google/{google}"] if google else []), f"timm/{name}")
    for name, (google, _) in PUBLISHED.items()
  },
  layouts=lambda config: {HUGGINGFACE: [_HUGGINGFACE], OPEN_CLIP: [_OPEN_CLIP]},
  transformers=Transformers(
    model_type="siglip",
    processor="SiglipImageProcessor",
    read=_read,
    unread=Unread(config_json.COMMON | {"id2label"}, config_json.PLAIN),
    read_vision=_read_vision,
  ),
  more=(
    Transformers(
      model_type="siglip2",
      processor="Siglip2ImageProcessor",
      read=_read_naflex,
      unread=Unread(config_json.COMMON | {"id2label"}, config_json.PLAIN),
      layout=_NAFLEX,
      only="images of one square grid",
    ),
  ),
  open_clip=OpenCLIP(frozenset(TRUNKS), _read_open_clip),
)
