"""The pre-norm transformer of CLIP's two towers; names follow OpenAI's checkpoints."""

import functools
from collections.abc import Callable

import jax
from flax import nnx

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  "gelu": functools.partial(jax.nn.gelu, approximate=False),
  "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
}
# Two passes over the data, as torch does it: E[x^2] - E[x]^2 loses digits.
LayerNorm = functools.partial(nnx.LayerNorm, use_fast_variance=False)
LayerList = getattr(nnx, "List", list)  # flax < 0.12 takes a plain list and has no nnx.List.


class Attention(nnx.Module):
  """Multi-head self-attention with one fused projection for query, key and value."""

  def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs):
    self.heads = heads
    self.in_proj = nnx.Linear(width, 3 * width, rngs=rngs)
    self.out_proj = nnx.Linear(width, width, rngs=rngs)

  def __call__(self, x: jax.Array, *, causal: bool) -> jax.Array:
    """float32 [B, T, D] -> [B, T, D]."""
    batch, length, width = x.shape
    heads = self.in_proj(x).reshape(batch, length, 3, self.heads, width // self.heads)
    query, key, value = heads[:, :, 0], heads[:, :, 1], heads[:, :, 2]
    mixed = jax.nn.dot_product_attention(query, key, value, is_causal=causal)
    return self.out_proj(mixed.reshape(batch, length, width))


class MLP(nnx.Module):
  """Two linear layers around the activation."""

  def __init__(self, width: int, activation: str, *, rngs: nnx.Rngs):
    self.activation = activation
    self.c_fc = nnx.Linear(width, 4 * width, rngs=rngs)
    self.c_proj = nnx.Linear(4 * width, width, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float32 [..., D] -> [..., D]."""
    return self.c_proj(ACTIVATIONS[self.activation](self.c_fc(x)))


class ResidualBlock(nnx.Module):
  """Attention, then MLP, each behind its layer norm."""

  def __init__(self, width: int, heads: int, activation: str, epsilon: float, *, rngs: nnx.Rngs):
    self.ln_1 = LayerNorm(width, epsilon=epsilon, rngs=rngs)
    self.attn = Attention(width, heads, rngs=rngs)
    self.ln_2 = LayerNorm(width, epsilon=epsilon, rngs=rngs)
    self.mlp = MLP(width, activation, rngs=rngs)

  def __call__(self, x: jax.Array, *, causal: bool) -> jax.Array:
    """float32 [B, T, D] -> [B, T, D]."""
    x = x + self.attn(self.ln_1(x), causal=causal)
    return x + self.mlp(self.ln_2(x))


class Transformer(nnx.Module):
  """A stack of residual blocks."""

  def __init__(
    self,
    width: int,
    layers: int,
    heads: int,
    activation: str,
    epsilon: float,
    *,
    causal: bool,
    rngs: nnx.Rngs,
  ):
    self.causal = causal
    self.resblocks = LayerList(
      [ResidualBlock(width, heads, activation, epsilon, rngs=rngs) for _ in range(layers)]
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    """float32 [B, T, D] -> [B, T, D]."""
    for block in self.resblocks:
      x = block(x, causal=self.causal)
    return x
