"""SigLIP and SigLIP 2: two transformers trained with a sigmoid loss
(Zhai et al., 2023, arXiv:2303.15343; Tschannen et al., 2025, arXiv:2502.14786)."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench.models.encoders.dual_encoder import DualEncoder
from jaxbench.models.encoders.tokenizer_file import TokenizerConfig, TokenizerFile
from jaxbench.models.parts.attention_pool import AttentionPool
from jaxbench.models.parts.layers import Conv, LayerNorm, Linear, Network
from jaxbench.models.parts.transformer import TowerConfig, Transformer
from jaxbench.models.preprocess import Preprocess


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
  tokenizer: TokenizerConfig  # The last position of what it gives is read.
  text_head: bool = True  # Whether a linear layer follows the last position of a text.


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
    self.head = Linear(width, config.embed_dim, rngs=rngs) if config.text_head else None

  def __call__(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T] -> float32 [B, D]."""
    x = self.token_embedding[...][tokens].astype(self.compute_dtype)
    x = x + self.positional_embedding[...].astype(x.dtype)[None]
    x = self.ln_final(self.transformer(x))[:, -1]
    return (x if self.head is None else self.head(x)).astype(jnp.float32)


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
    return self.tokenizer(texts, self.config.context_length)
