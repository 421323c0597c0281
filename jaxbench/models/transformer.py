"""The pre-norm transformer that all towers share; names follow OpenAI's CLIP checkpoints."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench import errors
from jaxbench.models.layers import ACTIVATIONS, LayerList, LayerNorm, Linear, attend


@dataclasses.dataclass(frozen=True)
class TowerConfig:
  """What shapes one transformer; read from a checkpoint's own configuration, never guessed."""

  width: int
  layers: int
  heads: int
  mlp_width: int
  activation: str  # From `layers.ACTIVATIONS`.
  epsilon: float = 1e-5  # Of all layer norms.

  def __post_init__(self) -> None:
    if self.activation not in ACTIVATIONS:
      raise errors.unknown("activation", self.activation, ACTIVATIONS)
    if self.heads < 1 or self.width % self.heads:
      raise errors.InputError(f"a width of {self.width} is no multiple of {self.heads} heads")


class Attention(nnx.Module):
  """Multi-head self-attention with one fused projection for query, key and value."""

  def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs):
    self.heads = heads
    self.in_proj = Linear(width, 3 * width, rngs=rngs)
    self.out_proj = Linear(width, width, rngs=rngs)

  def __call__(self, x: jax.Array, *, causal: bool, keep: int | None = None) -> jax.Array:
    """float [B, T, D] -> [B, keep, D]: the output at the first positions, by default at all."""
    if keep is None:
      query, key, value = jnp.split(self.in_proj(x), 3, axis=-1)
    else:
      width = x.shape[-1]
      query = self.in_proj(x[:, :keep], slice(width))
      key, value = jnp.split(self.in_proj(x, slice(width, None)), 2, axis=-1)
    return self.out_proj(attend(query, key, value, self.heads, causal=causal))


class MLP(nnx.Module):
  """Two linear layers around the activation."""

  def __init__(self, config: TowerConfig, *, rngs: nnx.Rngs):
    self.activation = config.activation
    self.c_fc = Linear(config.width, config.mlp_width, rngs=rngs)
    self.c_proj = Linear(config.mlp_width, config.width, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [..., D] -> [..., D]."""
    return self.c_proj(ACTIVATIONS[self.activation](self.c_fc(x)))


class ResidualBlock(nnx.Module):
  """Attention, then MLP, each behind its layer norm."""

  def __init__(self, config: TowerConfig, *, rngs: nnx.Rngs):
    self.ln_1 = LayerNorm(config.width, config.epsilon)
    self.attn = Attention(config.width, config.heads, rngs=rngs)
    self.ln_2 = LayerNorm(config.width, config.epsilon)
    self.mlp = MLP(config, rngs=rngs)

  def __call__(self, x: jax.Array, *, causal: bool, keep: int | None = None) -> jax.Array:
    """float [B, T, D] -> [B, keep, D]: the output at the first positions, by default at all."""
    x = x[:, :keep] + self.attn(self.ln_1(x), causal=causal, keep=keep)
    return x + self.mlp(self.ln_2(x))


class Transformer(nnx.Module):
  """A stack of residual blocks."""

  def __init__(self, config: TowerConfig, *, causal: bool = False, rngs: nnx.Rngs):
    self.causal = causal
    self.resblocks = LayerList([ResidualBlock(config, rngs=rngs) for _ in range(config.layers)])

  def __call__(self, x: jax.Array, keep: int | None = None) -> jax.Array:
    """float [B, T, D] -> [B, keep, D]: the output at the first positions, by default at all.

    Where only a class token is read, keep=1 saves most of the last block: a twelfth of the work of
    twelve layers.
    """
    *blocks, last = self.resblocks
    for block in blocks:
      x = block(x, causal=self.causal)
    return last(x, causal=self.causal, keep=keep)
