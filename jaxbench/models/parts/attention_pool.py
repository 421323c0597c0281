"""Pooling of a transformer's output by attention (Zhai et al., 2022, arXiv:2106.04560)."""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.parts.layers import LayerNorm, Linear, attend, prepend
from jaxbench.models.parts.transformer import MLP, TowerConfig


class AttentionPool(nnx.Module):
  """A learnt query asks all patches; an MLP follows."""

  def __init__(self, config: TowerConfig, *, rngs: nnx.Rngs):
    width, self.heads = config.width, config.heads
    self.probe = nnx.Param(width**-0.5 * jax.random.normal(rngs.params(), (width,)))
    self.in_proj = Linear(width, 3 * width, rngs=rngs)
    self.out_proj = Linear(width, width, rngs=rngs)
    self.layernorm = LayerNorm(width, config.epsilon)
    self.mlp = MLP(config, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, T, D] -> [B, D]."""
    x = self.in_proj(prepend(self.probe[...], x))
    query, key, value = jnp.split(x, 3, axis=-1)
    y = self.out_proj(attend(query[:, :1], key[:, 1:], value[:, 1:], self.heads)[:, 0])
    return y + self.mlp(self.layernorm(y))
