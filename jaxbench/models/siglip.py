"""SigLIP and SigLIP 2: two transformers trained with a sigmoid loss
(Zhai et al., 2023, arXiv:2303.15343; Tschannen et al., 2025, arXiv:2502.14786)."""

import dataclasses
import pathlib
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench.models.attention_pool import AttentionPool
from jaxbench.models.dual_encoder import ROOT_KEYS, TOWER_KEYS, DualEncoder
from jaxbench.models.family import HUGGINGFACE, Family, Transformers
from jaxbench.models.layers import Conv, LayerNorm, Linear, Network
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.tokenizer import TokenizerFile
from jaxbench.models.transformer import TowerConfig, Transformer
from jaxbench.models.weights import config_json, files, sidecar
from jaxbench.models.weights.config_json import Vision
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields, Unread


@dataclasses.dataclass(frozen=True)
class SigLIPConfig:
  """Everything that shapes a SigLIP; read from a checkpoint's own configuration."""

  supervised: ClassVar[bool] = False

  vision: TowerConfig
  text: TowerConfig
  embed_dim: int  # Of the text; the image's is the width of its tower, and equal.
  patch_size: int
  preprocess: Preprocess
  mean: tuple[float, float, float]
  std: tuple[float, float, float]
  vocabulary_size: int
  context_length: int
  tokenizer_sha256: str  # Of the tokenizer.json that came with the weights.
  pad_id: int  # Texts are filled up with it; the last position is read.


class SigLIPVision(Network):
  """Patches, the transformer, attention pooling."""

  def __init__(self, config: SigLIPConfig, *, rngs: nnx.Rngs):
    self.mean, self.std = config.mean, config.std
    width, patch = config.vision.width, config.patch_size
    tokens = (config.preprocess.size // patch) ** 2
    self.conv1 = Conv(3, width, patch, patch, padding=0, use_bias=True, rngs=rngs)
    self.positional_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (tokens, width)))
    self.transformer = Transformer(config.vision, rngs=rngs)
    self.ln_post = LayerNorm(width, config.vision.epsilon)
    self.head = AttentionPool(config.vision, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> float32 [B, D]."""
    x = self.conv1(self.standardize(images, self.mean, self.std))
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    x = self.transformer(x + self.positional_embedding[...].astype(x.dtype)[None])
    return self.head(self.ln_post(x)).astype(jnp.float32)


class SigLIPText(Network):
  """The bidirectional transformer; the last position's output is the text."""

  def __init__(self, config: SigLIPConfig, *, rngs: nnx.Rngs):
    width = config.text.width
    shape = (config.vocabulary_size, width)
    self.token_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), shape))
    shape = (config.context_length, width)
    self.positional_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), shape))
    self.transformer = Transformer(config.text, rngs=rngs)
    self.ln_final = LayerNorm(width, config.text.epsilon)
    self.head = Linear(width, config.embed_dim, rngs=rngs)

  def __call__(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T] -> float32 [B, D]."""
    x = self.token_embedding[...][tokens].astype(self.compute_dtype)
    x = x + self.positional_embedding[...].astype(x.dtype)[None]
    x = self.ln_final(self.transformer(x))
    return self.head(x[:, -1]).astype(jnp.float32)


class SigLIP(DualEncoder):
  """Two towers, a temperature and a bias; the interface is that of `CLIP`.

  Without the tokenizer that comes with its weights it reads tokens, and no texts.
  """

  def __init__(
    self, config: SigLIPConfig, *, tokenizer: TokenizerFile | None = None, rngs: nnx.Rngs
  ):
    self.config, self.tokenizer = config, tokenizer
    self.visual = SigLIPVision(config, rngs=rngs)
    self.text = SigLIPText(config, rngs=rngs)
    self.log_logit_scale = nnx.Param(jnp.log(10.0))
    self.bias = nnx.Param(jnp.float32(-10))

  @property
  def logit_bias(self) -> jax.Array:
    """float32 [], added to all logits; sigmoid(logits) are the probabilities of the pairs."""
    return self.bias[...].astype(jnp.float32)

  def tokenize(self, texts: list[str]) -> np.ndarray:
    """int32 [B, T], as this model's text encoder reads `texts`."""
    assert self.tokenizer is not None, "this SigLIP was built without its tokenizer"
    return self.tokenizer(texts, self.config.context_length, self.config.pad_id)


_HUGGINGFACE: Renamings = (
  *TOWER_KEYS,
  (r"^visual\.head\.in_proj\.(weight|bias)", r"visual.head.attention.in_proj_\1"),
  (r"^visual\.head\.out_proj", "visual.head.attention.out_proj"),
  (r"^bias$", "logit_bias"),
  *ROOT_KEYS,
)
_DEFAULT = config_json.Defaults(768, 3072, 12, "gelu_pytorch_tanh", 1e-6)
_TOWER_UNREAD = (
  config_json.COMMON | config_json.TRAINING | {"eos_token_id", "id2label", "model_type"}
)


def _read(fields: Fields, images: Images) -> SigLIPConfig:
  """SiglipModel, and the tokenizer beside it."""
  text, vision = fields.sub("text_config"), fields.sub("vision_config")
  text_tower, seen = config_json.tower(text, _DEFAULT), _read_vision(vision)
  folder = fields.path.parent
  digest = files.sha256((sidecar.weights(folder, "tokenizer.json"),))
  reader = TokenizerFile(digest, str(folder / "tokenizer.json"))
  config = SigLIPConfig(
    vision=seen.tower,
    text=text_tower,
    embed_dim=text.count("projection_size", text_tower.width),
    patch_size=seen.patch_size,
    vocabulary_size=text.count("vocab_size", 32_000),
    context_length=text.count("max_position_embeddings", 64),
    tokenizer_sha256=digest,
    pad_id=reader.id_of(_pad_token(folder)),
    **fitting(fields.path, images, seen.size)._asdict(),
  )
  text.finish(Unread(_TOWER_UNREAD, config_json.PLAIN))
  return config


def _read_vision(fields: Fields) -> Vision:
  """SiglipVisionModel."""
  tower = config_json.tower(fields, _DEFAULT)
  seen = Vision(tower, fields.side("patch_size", 16), fields.side("image_size", 224))
  fields.finish(
    Unread(_TOWER_UNREAD | {"projection_dim"}, {**config_json.IMAGE, "vision_use_head": (True,)})
  )
  return seen


def _pad_token(folder: pathlib.Path) -> str:
  """What texts are filled up with, from tokenizer_config.json."""
  fields = sidecar.read(folder / "tokenizer_config.json")
  token = fields.need("pad_token")
  token = fields.sub("pad_token").need("content") if isinstance(token, dict) else token
  if not isinstance(token, str):
    raise fields.error(f"pad_token is {token!r}, not a token")
  return token


def _sized(patch: int, size: int, tower: TowerConfig, words: int) -> SigLIPConfig:
  """Of a published size; which tokenizer it is, only a checkpoint can say."""
  half = (0.5, 0.5, 0.5)
  return SigLIPConfig(
    vision=tower,
    text=tower,
    embed_dim=tower.width,
    patch_size=patch,
    preprocess=Preprocess(size, squash=True),
    mean=half,
    std=half,
    vocabulary_size=words,
    context_length=64,
    tokenizer_sha256="",
    pad_id=1 if words == 32_000 else 0,
  )


_BASE = TowerConfig(768, 12, 12, 3072, "gelu_tanh", 1e-6)
_LARGE = TowerConfig(1024, 24, 16, 4096, "gelu_tanh", 1e-6)
_SO400M = TowerConfig(1152, 27, 16, 4304, "gelu_tanh", 1e-6)
FAMILY = Family(
  name="siglip",
  config=SigLIPConfig,
  module=SigLIP,
  named={
    "ViT-B-16-SigLIP": _sized(16, 224, _BASE, 32_000),
    "ViT-L-16-SigLIP-256": _sized(16, 256, _LARGE, 32_000),
    "ViT-SO400M-14-SigLIP-384": _sized(14, 384, _SO400M, 32_000),
    "ViT-B-16-SigLIP2": _sized(16, 224, _BASE, 256_000),
    "ViT-L-16-SigLIP2-256": _sized(16, 256, _LARGE, 256_000),
    "ViT-SO400M-14-SigLIP2": _sized(14, 224, _SO400M, 256_000),
  },
  sources={
    "ViT-B-16-SigLIP": ("google/siglip-base-patch16-224",),
    "ViT-L-16-SigLIP-256": ("google/siglip-large-patch16-256",),
    "ViT-SO400M-14-SigLIP-384": ("google/siglip-so400m-patch14-384",),
    "ViT-B-16-SigLIP2": ("google/siglip2-base-patch16-224",),
    "ViT-L-16-SigLIP2-256": ("google/siglip2-large-patch16-256",),
    "ViT-SO400M-14-SigLIP2": ("google/siglip2-so400m-patch14-224",),
  },
  layouts=lambda config: {HUGGINGFACE: [_HUGGINGFACE]},
  transformers=Transformers(
    model_type="siglip",
    processor="SiglipImageProcessor",
    read=_read,
    unread=Unread(config_json.COMMON | {"id2label"}, config_json.PLAIN),
    read_vision=_read_vision,
  ),
  has_tokenizer=True,
)
