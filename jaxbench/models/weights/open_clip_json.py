"""What open_clip_config.json says of several families alike."""

import pathlib
from collections.abc import Mapping
from typing import Any

from jaxbench.models.encoders.tokenizer_file import CLEANERS, Beside, TokenizerConfig
from jaxbench.models.family import Sized, Trunk
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights.sidecar import NOTHING, Fields, Unread, words

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

BRIDGE = "with torch and open_clip, the name open_clip:ARCHITECTURE/TAG takes it through the bridge"
# open_clip's own defaults, where they are what we build.
BLOCKS: dict[str, tuple[Any, ...]] = {
  "block_type": ("default",),
  "output_tokens": (False, True),  # They are given beside.
  "qk_norm": (False,),
  "scale_attn": (False,),
  "scale_attn_inner": (False,),
  "scale_fc": (False,),
  "scale_heads": (False,),
  "scaled_cosine_attn": (False,),
}
# Of a network of timm: training; and what shapes open_clip's own transformer.
TRUNK_UNREAD = Unread(words("patch_dropout timm_drop timm_drop_path timm_model_pretrained"), {})
_OWN = words(
  """
  act_kwargs attentional_pool attn_pooler_heads attn_pooler_queries block_type final_ln_after_pool
  head_width layers ls_init_value mlp_ratio no_ln_pre norm_kwargs output_tokens patch_size pool_type
  pos_embed_type qk_norm scale_attn scale_attn_inner scale_fc scale_heads scaled_cosine_attn width
  """
)
_IMAGES_UNREAD = Unread(
  # The fill colour is for `resize_mode` "longest", which is refused.
  words("fill_color"),
  {"mode": ("RGB",)},
)


def trunk(vision: Fields) -> Trunk:
  """What a `vision_cfg` with a `timm_model_name` says of it, where that is a name; reads it all."""
  vision.skip("timm_model_name", "image_size", *_OWN)
  read = Trunk(
    vision,
    pool=_text(vision, "timm_pool", "avg"),
    projection=_text(vision, "timm_proj", "linear"),
    bias=vision.flag("timm_proj_bias", False),
  )
  vision.finish(TRUNK_UNREAD)
  return read


def choose(vision: Fields, images: Fields, known: Mapping[str, Sized]) -> tuple[Sized, int]:
  """The network of timm that a `vision_cfg` names, and the size of its images.

  Raises:
    InputError: the name stands for images of another size.
  """
  sized, size = known[vision.need("timm_model_name")], image_size(vision, images)
  if sized.size not in (None, size):
    raise vision.error(f"image_size {size} contradicts timm_model_name, which takes {sized.size}")
  return sized, size


def tokenizer(text: Fields, folder: pathlib.Path) -> TokenizerConfig | None:
  """The one that a `text_cfg` names, in the files beside it; None is CLIP's own."""
  name, options = text.get("hf_tokenizer_name", ""), text.sub("tokenizer_kwargs")
  if not name:
    options.finish(Unread(frozenset(), {"clean": ("lower",)}))
    return None
  beside = Beside(folder, f"those of {name}")
  clean = options.choose("clean", {name: name for name in CLEANERS}, "whitespace")
  removed = beside.id_of("sep_token") if options.flag("strip_sep_token", False) else None
  options.finish(NOTHING)
  return TokenizerConfig(
    beside.sha256, beside.id_of("pad_token"), clean, beside.pad_left(), removed
  )


def refuse_huggingface(text: Fields) -> None:
  """Raises InputError for a text tower of transformers."""
  if name := str(text.get("hf_model_name", "")):
    raise text.error(f"hf_model_name {name!r}: that text tower is not built here; {BRIDGE}")


def _text(fields: Fields, key: str, default: str) -> str:
  """A text; null, which is not the default, is the empty one."""
  value = fields.content.get(key, default) or ""
  fields.skip(key)
  if not isinstance(value, str):
    raise fields.error(f"{key} is {value!r}, not a text")
  return value


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


def image_size(vision: Fields, images: Fields) -> int:
  """In pixels, on which both agree."""
  trained = vision.side("image_size", 224)
  if (size := images.side("size", trained)) != trained:
    raise images.error(f"size is {size} pixels, image_size of the model is {trained}")
  return trained


def tower(fields: Fields, width: int, heads: int, activation: str) -> TowerConfig:
  """A transformer of open_clip's own."""
  if not heads or width % heads:
    raise fields.error(f"width {width} is no multiple of the number of heads, {heads}")
  mlp_width = int(width * fields.number("mlp_ratio", 4.0))
  if mlp_width < 1:
    raise fields.error("mlp_ratio leaves the MLP no width")
  norm, act = fields.sub("norm_kwargs"), fields.sub("act_kwargs")
  if act.choose("approximate", {"none": False, "tanh": True}, "none"):
    if activation != "gelu":
      raise act.error("approximate is for gelu, and quick_gelu is true")
    activation = "gelu_tanh"
  epsilon = norm.number("eps", 1e-5)
  norm.finish(NOTHING)
  act.finish(NOTHING)
  scale = fields.get("ls_init_value", None) is not None and fields.number("ls_init_value", 0) >= 0
  return TowerConfig(
    width, fields.count("layers", 12), heads, mlp_width, activation, epsilon, layer_scale=scale
  )
