"""CLIP: an image and a text encoder in one space (Radford et al., 2021, arXiv:2103.00020)."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench.models.encoders import clip_sizes, roberta, tokenizer, trunk_clips
from jaxbench.models.encoders.dual_encoder import OPEN_CLIP_KEYS, ROOT_KEYS, TOWER_KEYS, DualEncoder
from jaxbench.models.encoders.roberta import RobertaConfig, RobertaText
from jaxbench.models.encoders.text_transformer import TextOptions, TextTransformer
from jaxbench.models.encoders.tokenizer_file import TokenizerConfig, TokenizerFile
from jaxbench.models.encoders.towers import VisionConfig, tower
from jaxbench.models.encoders.vision_transformer import VisionOptions
from jaxbench.models.family import HUGGINGFACE, OPEN_CLIP, Family, Transformers
from jaxbench.models.later import later
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import config_json
from jaxbench.models.weights.config_json import Vision
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.open_clip_json import OPENAI_MEAN, OPENAI_STD
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields, Unread


@dataclasses.dataclass(frozen=True)
class CLIPConfig:
  """Everything that shapes a CLIP; read from a checkpoint's own configuration, never guessed."""

  supervised: ClassVar[bool] = False

  embed_dim: int
  vision: VisionConfig
  text: TowerConfig | RobertaConfig
  patch_size: int | None  # None where no position embedding is of patches.
  preprocess: Preprocess
  mean: tuple[float, float, float] = OPENAI_MEAN
  std: tuple[float, float, float] = OPENAI_STD
  context_length: int = tokenizer.CONTEXT_LENGTH
  # BPE ids that a cut embedding table keeps, ascending, 0 (padding) too.
  vocabulary: tuple[int, ...] | None = None
  vocabulary_size: int = later(tokenizer.VOCABULARY_SIZE)
  vision_options: VisionOptions = later(VisionOptions())  # Of a `TowerConfig`.
  text_options: TextOptions = later(TextOptions())
  tokenizer: TokenizerConfig | None = later(None)  # None is CLIP's own.


class CLIP(DualEncoder):
  """Two towers and a temperature. Parameters only: pass it into `jax.jit` as any pytree.

  Example:
    >>> clip = models.load("digits-clip")
    >>> clip.encode_image(jnp.zeros((1, 32, 32, 3))).shape
    (1, 64)
  """

  text: TextTransformer | RobertaText

  def __init__(self, config: CLIPConfig, *, tokenizer: TokenizerFile | None = None, rngs: nnx.Rngs):
    self.config, self.tokenizer = config, tokenizer
    self.visual = tower(config.vision).module(config, rngs=rngs)
    is_roberta = isinstance(config.text, RobertaConfig)
    self.text = (RobertaText if is_roberta else TextTransformer)(config, rngs=rngs)
    self.log_logit_scale = nnx.Param(jnp.log(1 / 0.07))

  @property
  def logit_bias(self) -> jax.Array:
    """float32 [], what is added to all logits: nothing."""
    return jnp.float32(0)

  def tokenize(self, texts: list[str]) -> np.ndarray:
    """int32 [B, T], as this model's text encoder reads `texts`."""
    length = self.config.context_length
    if self.config.tokenizer is None:
      return tokenizer.tokenize(texts, length)
    assert self.tokenizer is not None, "this CLIP was built without its tokenizer"
    return self.tokenizer(texts, length)

  def lengths(self, tokens: np.ndarray) -> np.ndarray:
    """See `DualEncoder`."""
    return self.text.lengths(tokens)


def _towers(config: CLIPConfig) -> Renamings:
  """Of towers that are networks of other libraries."""
  words = roberta.layout(config.text) if isinstance(config.text, RobertaConfig) else ()
  return (*tower(config.vision).layout(config.vision), *words)


_HUGGINGFACE: Renamings = (
  *TOWER_KEYS,
  (r"^visual\.class_embedding", "visual.embeddings.class_embedding"),
  (r"^visual\.ln_pre", "visual.pre_layrnorm"),  # Their spelling.
  (r"^visual\.proj$", "visual_projection.weight.T"),
  (r"^text\.text_projection$", "text_projection.weight.T"),
  *ROOT_KEYS,
)
_TOWER_UNREAD = (
  config_json.COMMON | config_json.TRAINING | {"id2label", "model_type", "projection_dim"}
)
# The end of a text is found as the highest id, which is what transformers does where it says 2.
_TEXT_UNREAD = Unread(_TOWER_UNREAD, {**config_json.PLAIN, "eos_token_id": (2, tokenizer.END)})
_VISION_UNREAD = Unread(
  _TOWER_UNREAD | {"eos_token_id"}, {**config_json.IMAGE, "vision_use_head": (True,)}
)


def _merged(fields: Fields, key: str) -> Fields:
  """What early releases wrote beside it as "text_config_dict" wins."""
  both = fields.sub(key).content | fields.sub(f"{key}_dict").content
  return Fields(fields.path, both, f"{key}: ")


def _read(fields: Fields, images: Images) -> CLIPConfig:
  """CLIPModel."""
  text, vision = _merged(fields, "text_config"), _merged(fields, "vision_config")
  words = text.count("vocab_size", tokenizer.VOCABULARY_SIZE)
  if words != tokenizer.VOCABULARY_SIZE:
    raise text.error(
      f"vocab_size {words}: only CLIP's own {tokenizer.VOCABULARY_SIZE} tokens are known"
    )
  seen = _read_vision(vision)
  config = CLIPConfig(
    embed_dim=fields.count("projection_dim", 512),
    vision=seen.tower,
    text=config_json.tower(text, config_json.Defaults(512, 2048, 8, "quick_gelu", 1e-5)),
    patch_size=seen.patch_size,
    context_length=text.count("max_position_embeddings", 77),
    **fitting(fields.path, images, seen.size)._asdict(),
  )
  text.finish(_TEXT_UNREAD)
  return config


def _read_vision(fields: Fields) -> Vision:
  """CLIPVisionModel."""
  tower = config_json.tower(fields, config_json.Defaults(768, 3072, 12, "quick_gelu", 1e-5))
  seen = Vision(tower, fields.side("patch_size", 32), fields.side("image_size", 224))
  fields.finish(_VISION_UNREAD)
  return seen


FAMILY = Family(
  name="clip",
  config=CLIPConfig,
  module=CLIP,
  named={
    name: CLIPConfig(**fields) for name, fields in (clip_sizes.NAMED | trunk_clips.NAMED).items()
  },
  sources=clip_sizes.SOURCES | trunk_clips.SOURCES,
  layouts=lambda config: {
    # The names of OpenAI, or those with `custom_text`.
    OPEN_CLIP: [(*_towers(config), *OPEN_CLIP_KEYS, *text) for text in (((r"^text\.", ""),), ())],
    HUGGINGFACE: [_HUGGINGFACE],
  },
  lacks={HUGGINGFACE: (*clip_sizes.NOT_CLIPS, *trunk_clips.NAMED)},
  transformers=Transformers(
    model_type="clip",
    processor="CLIPImageProcessor",
    read=_read,
    unread=Unread(config_json.COMMON | {"id2label"}, config_json.PLAIN),
    read_vision=_read_vision,
  ),
)
