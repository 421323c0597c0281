"""CLIP: an image and a text encoder in one space (Radford et al., 2021, arXiv:2103.00020)."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench.models import tokenizer
from jaxbench.models.dual_encoder import DualEncoder
from jaxbench.models.layers import Conv, LayerNorm, Network, prepend
from jaxbench.models.modified_resnet import ModifiedResNet, ModifiedResNetConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.transformer import TowerConfig, Transformer

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclasses.dataclass(frozen=True)
class CLIPConfig:
  """Everything that shapes a CLIP; read from a checkpoint's own configuration, never guessed."""

  embed_dim: int
  vision: TowerConfig | ModifiedResNetConfig
  text: TowerConfig
  patch_size: int | None  # None for a ModifiedResNet.
  preprocess: Preprocess
  mean: tuple[float, float, float] = OPENAI_MEAN
  std: tuple[float, float, float] = OPENAI_STD
  context_length: int = tokenizer.CONTEXT_LENGTH
  # BPE ids that a cut embedding table keeps, ascending, 0 (padding) too.
  vocabulary: tuple[int, ...] | None = None


class VisionTransformer(Network):
  """Patches, a class token, the transformer; the class token's output is the image."""

  def __init__(self, config: CLIPConfig, tower: TowerConfig, patch: int, *, rngs: nnx.Rngs):
    self.mean, self.std = config.mean, config.std
    width, scale = tower.width, tower.width**-0.5
    tokens = 1 + (config.preprocess.size // patch) ** 2
    self.conv1 = Conv(3, width, patch, patch, padding=0, rngs=rngs)
    self.class_embedding = nnx.Param(scale * jax.random.normal(rngs.params(), (width,)))
    self.positional_embedding = nnx.Param(scale * jax.random.normal(rngs.params(), (tokens, width)))
    self.ln_pre = LayerNorm(width, tower.epsilon)
    self.transformer = Transformer(tower, rngs=rngs)
    self.ln_post = LayerNorm(width, tower.epsilon)
    self.proj = nnx.Param(scale * jax.random.normal(rngs.params(), (width, config.embed_dim)))

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> float32 [B, D]."""
    x = self.conv1(self.standardize(images, self.mean, self.std))
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    x = prepend(self.class_embedding[...], x)
    x = x + self.positional_embedding[...].astype(x.dtype)[None]
    x = self.ln_post(self.transformer(self.ln_pre(x), keep=1)[:, 0])
    return (x @ self.proj[...].astype(x.dtype)).astype(jnp.float32)


class TextTransformer(Network):
  """The causal transformer; the end token's output is the text."""

  def __init__(self, config: CLIPConfig, *, rngs: nnx.Rngs):
    width, self.vocabulary = config.text.width, config.vocabulary
    rows = tokenizer.VOCABULARY_SIZE if self.vocabulary is None else len(self.vocabulary)
    self.token_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (rows, width)))
    self.positional_embedding = nnx.Param(
      0.01 * jax.random.normal(rngs.params(), (config.context_length, width))
    )
    self.transformer = Transformer(config.text, causal=True, rngs=rngs)
    self.ln_final = LayerNorm(width, config.text.epsilon)
    self.text_projection = nnx.Param(
      width**-0.5 * jax.random.normal(rngs.params(), (width, config.embed_dim))
    )

  def embed(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T] -> [B, T, D]; a token that a cut table lacks is NaN, never another word."""
    table = self.token_embedding[...]
    if self.vocabulary is None:
      return table[tokens].astype(self.compute_dtype)
    ids = jnp.asarray(self.vocabulary, jnp.int32)
    rows = jnp.minimum(jnp.searchsorted(ids, tokens), len(self.vocabulary) - 1)
    known = (ids[rows] == tokens)[..., None]
    return jnp.where(known, table[rows], jnp.nan).astype(self.compute_dtype)

  def __call__(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T], T <= the context length -> float32 [B, D]."""
    return self.read(self.embed(tokens), jnp.argmax(tokens, axis=-1))  # The end has the highest id.

  def read(self, x: jax.Array, end: jax.Array) -> jax.Array:
    """Embedded tokens [B, T, D'], and int32 [B] where each text ends -> float32 [B, D]."""
    x = x + self.positional_embedding[...].astype(x.dtype)[None, : x.shape[1]]
    x = self.ln_final(self.transformer(x))
    x = jnp.take_along_axis(x, end[:, None, None], axis=1)[:, 0]
    return (x @ self.text_projection[...].astype(x.dtype)).astype(jnp.float32)


class CLIP(DualEncoder):
  """Two towers and a temperature. Parameters only: pass it into `jax.jit` as any pytree.

  Example:
    >>> clip = models.load("digits-clip")
    >>> clip.encode_image(jnp.zeros((1, 32, 32, 3))).shape
    (1, 64)
  """

  text: TextTransformer

  def __init__(self, config: CLIPConfig, *, rngs: nnx.Rngs):
    self.config = config
    if isinstance(config.vision, ModifiedResNetConfig):
      self.visual = ModifiedResNet(
        config.vision, config.embed_dim, config.preprocess.size, config.mean, config.std, rngs=rngs
      )
    else:
      assert config.patch_size is not None
      self.visual = VisionTransformer(config, config.vision, config.patch_size, rngs=rngs)
    self.text = TextTransformer(config, rngs=rngs)
    self.log_logit_scale = nnx.Param(jnp.log(1 / 0.07))

  @property
  def logit_bias(self) -> jax.Array:
    """float32 [], what is added to all logits: nothing."""
    return jnp.float32(0)

  def tokenize(self, texts: list[str]) -> np.ndarray:
    """int32 [B, T], as this model's text encoder reads `texts`."""
    return tokenizer.tokenize(texts, self.config.context_length)
