"""CLIP's vision transformer (Radford et al., 2021, section 2.4), and what others made of it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench import errors
from jaxbench.models.family import Tower
from jaxbench.models.parts.layers import Conv, LayerNorm, Linear, Network, attend, prepend
from jaxbench.models.parts.transformer import TowerConfig, Transformer
from jaxbench.models.weights.mapping import Renamings

POOLS = ("token", "patches", "query")


@dataclasses.dataclass(frozen=True)
class VisionOptions:
  """How an image tower differs from CLIP's, which is the default."""

  pre_norm: bool = True  # Whether a layer norm precedes the transformer.
  # From `POOLS`, what is the image: the class token, the mean of the patches, or what the first of
  # learnt queries finds, as in CoCa.
  pool: str = "token"
  norm_after_pool: bool = False  # Of "patches"; where it stands matters to no other.
  queries: int = 0  # Of "query".
  query_heads: int = 8

  def __post_init__(self) -> None:
    if self.pool not in POOLS:
      raise errors.unknown("pool", self.pool, POOLS)


class QueryPool(nnx.Module):
  """Learnt queries ask all positions, in the width of the embedding; the first is read."""

  def __init__(
    self, width: int, outputs: int, options: VisionOptions, epsilon: float, *, rngs: Any
  ):
    self.heads = options.query_heads
    self.query = nnx.Param(jax.random.normal(rngs.params(), (options.queries, outputs)))
    self.ln_q, self.ln_k = LayerNorm(outputs, epsilon), LayerNorm(width, epsilon)
    self.q_proj = Linear(outputs, outputs, use_bias=False, rngs=rngs)
    self.k_proj = Linear(width, outputs, use_bias=False, rngs=rngs)
    self.v_proj = Linear(width, outputs, use_bias=False, rngs=rngs)
    self.in_bias = nnx.Param(jnp.zeros(3 * outputs))
    self.out_proj = Linear(outputs, outputs, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, T, D'] -> [B, D]."""
    x, first = self.ln_k(x), self.ln_q(self.query[...][:1].astype(x.dtype))
    first = jnp.broadcast_to(first[None], (len(x), *first.shape))
    biases = jnp.split(self.in_bias[...].astype(x.dtype)[None, None], 3, axis=-1)
    asked = (self.q_proj(first), self.k_proj(x), self.v_proj(x))
    query, key, value = (part + bias for part, bias in zip(asked, biases, strict=True))
    return self.out_proj(attend(query, key, value, self.heads)[:, 0])


class VisionTransformer(Network):
  """Patches, a class token, the transformer; one vector of it, projected, is the image."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    self.mean, self.std = config.mean, config.std
    tower, patch, outputs = config.vision, config.patch_size, config.embed_dim
    self.options: VisionOptions = config.vision_options
    width, scale = tower.width, tower.width**-0.5
    tokens = 1 + (config.preprocess.size // patch) ** 2
    self.conv1 = Conv(3, width, patch, patch, padding=0, rngs=rngs)
    self.class_embedding = nnx.Param(scale * jax.random.normal(rngs.params(), (width,)))
    self.positional_embedding = nnx.Param(scale * jax.random.normal(rngs.params(), (tokens, width)))
    self.ln_pre = LayerNorm(width, tower.epsilon) if self.options.pre_norm else None
    self.transformer = Transformer(tower, rngs=rngs)
    asks = self.options.pool == "query"
    pool = QueryPool(width, outputs, self.options, tower.epsilon, rngs=rngs) if asks else None
    self.attn_pool, width = pool, outputs if asks else width
    self.ln_post = LayerNorm(width, tower.epsilon)
    self.proj = nnx.Param(scale * jax.random.normal(rngs.params(), (width, outputs)))

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> float32 [B, D]."""
    x = self._pool(self._patches(images))
    return (x @ self.proj[...].astype(x.dtype)).astype(jnp.float32)

  def tokens(self, images: jax.Array) -> jax.Array:
    """Those of patches after the last layer, without its norm: images -> float32 [B, T, D']."""
    return self.transformer(self._patches(images))[:, 1:].astype(jnp.float32)

  def _patches(self, images: jax.Array) -> jax.Array:
    """What the transformer takes, the class token first."""
    x = self.conv1(self.standardize(images, self.mean, self.std))
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    x = prepend(self.class_embedding[...], x)
    x = x + self.positional_embedding[...].astype(x.dtype)[None]
    return x if self.ln_pre is None else self.ln_pre(x)

  def _pool(self, x: jax.Array) -> jax.Array:
    """float [B, T, D], through the transformer -> [B, D']."""
    if self.attn_pool is not None:
      return self.ln_post(self.attn_pool(self.transformer(x)))
    if self.options.pool == "token":
      return self.ln_post(self.transformer(x, keep=1)[:, 0])
    x = self.transformer(x)[:, 1:]
    if self.options.norm_after_pool:
      return self.ln_post(x.mean(axis=1))
    return self.ln_post(x).mean(axis=1)


# OpenAI's and open_clip's names.
_OPEN_CLIP: Renamings = (
  (r"^(visual\.attn_pool)\.([qkv])_proj\.", r"\1.attn.\2_proj_"),
  (r"^visual\.attn_pool\.in_bias", "visual.attn_pool.attn.in_proj_bias"),
  (r"^visual\.attn_pool\.out_proj", "visual.attn_pool.attn.out_proj"),
)
TOWER = Tower(config=TowerConfig, module=VisionTransformer, layout=lambda config: _OPEN_CLIP)
