"""CLIP: an image and a text transformer in one space (Radford et al., 2021, arXiv:2103.00020)."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models import tokenizer
from jaxbench.models.preprocess import Preprocess, standardize
from jaxbench.models.transformer import LayerNorm, Transformer

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclasses.dataclass(frozen=True)
class TowerConfig:
  """Size of one transformer."""

  width: int
  layers: int
  heads: int


@dataclasses.dataclass(frozen=True)
class CLIPConfig:
  """Everything that shapes a CLIP; read from a checkpoint's own configuration, never guessed."""

  embed_dim: int
  vision: TowerConfig
  text: TowerConfig
  patch_size: int
  preprocess: Preprocess
  activation: str = "quick_gelu"
  epsilon: float = 1e-5  # Of all layer norms.
  mean: tuple[float, float, float] = OPENAI_MEAN
  std: tuple[float, float, float] = OPENAI_STD
  vocabulary: tuple[int, ...] | None = (
    None  # BPE ids kept by a cut table, ascending, 0 (padding) too.
  )


class VisionTransformer(nnx.Module):
  """Patches, a class token, the transformer; the class token's output is the image."""

  def __init__(self, config: CLIPConfig, *, rngs: nnx.Rngs):
    self.mean, self.std = config.mean, config.std
    width, patch = config.vision.width, (config.patch_size, config.patch_size)
    tokens = 1 + (config.preprocess.size // config.patch_size) ** 2
    scale = width**-0.5
    self.conv1 = nnx.Conv(
      3, width, patch, strides=patch, use_bias=False, padding="VALID", rngs=rngs
    )
    self.class_embedding = nnx.Param(scale * jax.random.normal(rngs.params(), (width,)))
    self.positional_embedding = nnx.Param(scale * jax.random.normal(rngs.params(), (tokens, width)))
    self.ln_pre = LayerNorm(width, epsilon=config.epsilon, rngs=rngs)
    self.transformer = Transformer(
      width,
      config.vision.layers,
      config.vision.heads,
      config.activation,
      config.epsilon,
      causal=False,
      rngs=rngs,
    )
    self.ln_post = LayerNorm(width, epsilon=config.epsilon, rngs=rngs)
    self.proj = nnx.Param(scale * jax.random.normal(rngs.params(), (width, config.embed_dim)))

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> [B, D]."""
    x = self.conv1(standardize(images, self.mean, self.std))
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    class_token = jnp.broadcast_to(self.class_embedding[...], (x.shape[0], 1, x.shape[-1]))
    x = jnp.concatenate([class_token, x], axis=1) + self.positional_embedding[...][None]
    x = self.transformer(self.ln_pre(x))
    return self.ln_post(x[:, 0]) @ self.proj[...]


class TextTransformer(nnx.Module):
  """The causal transformer; the end token's output is the text."""

  def __init__(self, config: CLIPConfig, *, rngs: nnx.Rngs):
    width, self.vocabulary = config.text.width, config.vocabulary
    rows = tokenizer.VOCABULARY_SIZE if self.vocabulary is None else len(self.vocabulary)
    self.token_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (rows, width)))
    self.positional_embedding = nnx.Param(
      0.01 * jax.random.normal(rngs.params(), (tokenizer.CONTEXT_LENGTH, width))
    )
    self.transformer = Transformer(
      width,
      config.text.layers,
      config.text.heads,
      config.activation,
      config.epsilon,
      causal=True,
      rngs=rngs,
    )
    self.ln_final = LayerNorm(width, epsilon=config.epsilon, rngs=rngs)
    self.text_projection = nnx.Param(
      width**-0.5 * jax.random.normal(rngs.params(), (width, config.embed_dim))
    )

  def embed(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T] -> [B, T, D]; a token that a cut table lacks is NaN, never another word."""
    if self.vocabulary is None:
      return self.token_embedding[...][tokens]
    ids = jnp.asarray(self.vocabulary, jnp.int32)
    rows = jnp.minimum(jnp.searchsorted(ids, tokens), len(self.vocabulary) - 1)
    known = (ids[rows] == tokens)[..., None]
    return jnp.where(known, self.token_embedding[...][rows], jnp.nan)

  def __call__(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T], T <= 77 -> [B, D]."""
    x = self.embed(tokens) + self.positional_embedding[...][None, : tokens.shape[1]]
    x = self.ln_final(self.transformer(x))
    end = jnp.argmax(tokens, axis=-1)  # The end token has the highest id.
    x = jnp.take_along_axis(x, end[:, None, None], axis=1)[:, 0]
    return x @ self.text_projection[...]


class CLIP(nnx.Module):
  """Two towers and a temperature. Parameters only: pass it into `jax.jit` as any pytree.

  Example:
    >>> clip = models.load("digits-clip")
    >>> clip.encode_image(jnp.zeros((1, 32, 32, 3))).shape
    (1, 64)
  """

  def __init__(self, config: CLIPConfig, *, rngs: nnx.Rngs):
    self.config = config
    self.visual = VisionTransformer(config, rngs=rngs)
    self.text = TextTransformer(config, rngs=rngs)
    self.log_logit_scale = nnx.Param(jnp.log(1 / 0.07))

  @property
  def preprocess(self) -> Preprocess:
    """How an image file becomes this model's input."""
    return self.config.preprocess

  @property
  def logit_scale(self) -> jax.Array:
    """float32 [], the factor on cosine similarities, already exponentiated."""
    return jnp.exp(self.log_logit_scale[...])

  def encode_image(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] at the model's size -> float32 [B, D], not normalised."""
    return self.visual(images)

  def encode_text(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, 77] of `models.tokenize` -> float32 [B, D], not normalised."""
    return self.text(jnp.asarray(tokens))
