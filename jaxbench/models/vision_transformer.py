"""CLIP's vision transformer (Radford et al., 2021, arXiv:2103.00020, section 2.4)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.family import Tower
from jaxbench.models.layers import Conv, LayerNorm, Network, prepend
from jaxbench.models.transformer import TowerConfig, Transformer


class VisionTransformer(Network):
  """Patches, a class token, the transformer; the class token's output is the image."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    self.mean, self.std = config.mean, config.std
    tower, patch = config.vision, config.patch_size
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


TOWER = Tower(config=TowerConfig, module=VisionTransformer)
