"""The transformer that all towers share, as configured; names follow OpenAI's CLIP checkpoints."""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench import errors
from jaxbench.models.later import later
from jaxbench.models.parts import distances
from jaxbench.models.parts.layers import ACTIVATIONS, LayerList, LayerNorm, Linear, attend
from jaxbench.models.parts.rotary import Rotary, turned

QKV_BIASES = ("all", "query_value", "none")


@dataclasses.dataclass(frozen=True)
class TowerConfig:
  """What shapes one transformer; read from a checkpoint's own configuration, never guessed."""

  width: int
  layers: int
  heads: int
  mlp_width: int
  activation: str  # From `layers.ACTIVATIONS`.
  epsilon: float = 1e-5  # Of all layer norms.
  qkv_bias: str = later("all")  # From `QKV_BIASES`: which of query, key and value have one.
  rotary: Rotary | None = later(None)
  layer_scale: bool = later(False)  # A factor for each channel of what attention and MLP add.
  post_norm: bool = later(False)  # Of what attention and MLP give, not of what they take.
  attention_norm: bool = later(False)  # One more, in front of the output projection.
  mlp_norm: bool = later(False)  # One more, in front of the MLP's second layer.
  mlp_input_norm: bool = later(False)  # One more, in front of the MLP's first layer.
  distance_bias: bool = later(False)  # Of the scores, by how far apart two patches are.
  gated_mlp: bool = later(False)  # activation(x @ gate) * (x @ up) in front of that, as in SwiGLU.

  def __post_init__(self) -> None:
    if self.activation not in ACTIVATIONS:
      raise errors.unknown("activation", self.activation, ACTIVATIONS)
    if self.qkv_bias not in QKV_BIASES:
      raise errors.unknown("qkv_bias", self.qkv_bias, QKV_BIASES)
    if self.heads < 1 or self.width % self.heads:
      raise errors.InputError(f"a width of {self.width} is no multiple of {self.heads} heads")
    if self.rotary is not None and self.width // self.heads % 4:
      raise errors.InputError(f"heads of {self.width // self.heads} are no pairs for two axes")


class Attention(nnx.Module):
  """Multi-head self-attention with one fused projection for query, key and value."""

  def __init__(self, config: TowerConfig, *, side: int, rngs: nnx.Rngs):
    width, self.heads, self.rotary = config.width, config.heads, config.rotary
    self.side = side
    self.in_proj = Linear(width, 3 * width, use_bias=config.qkv_bias == "all", rngs=rngs)
    qv_bias = nnx.Param(jnp.zeros(2 * width)) if config.qkv_bias == "query_value" else None
    self.qv_bias = qv_bias
    rows = jnp.zeros((distances.rows(side), config.heads))
    self.bias_table = nnx.Param(rows) if config.distance_bias else None
    self.norm = LayerNorm(width, config.epsilon) if config.attention_norm else None
    self.out_proj = Linear(width, width, rngs=rngs)

  def __call__(
    self,
    x: jax.Array,
    *,
    causal: bool,
    keep: int | None = None,
    angles: np.ndarray | None = None,
    seen: jax.Array | None = None,
  ) -> jax.Array:
    """float [B, T, D] -> [B, keep, D]: the output at the first positions, by default at all.

    Args:
      x: the sequence.
      causal: whether position i sees only those up to i.
      keep: how many outputs are wanted.
      angles: float [T, D / heads / 2], by which pairs turn; with `rotary` only.
      seen: bool [B, T], the positions that any sees; all by default.
    """
    query, key, value = self._project(x, keep)
    if self.rotary is not None and angles is not None:
      halves = self.rotary.halves
      query, key = (turned(part, angles, self.heads, halves=halves) for part in (query, key))
    bias = None
    if self.bias_table is not None:
      bias = self.bias_table[...][distances.between(self.side)[:keep]].transpose(2, 0, 1)
    mixed = attend(query, key, value, self.heads, causal=causal, seen=seen, bias=bias)
    return self.out_proj(mixed if self.norm is None else self.norm(mixed))

  def _project(self, x: jax.Array, keep: int | None) -> list[jax.Array]:
    """Query, at the first positions, key and value."""
    width = x.shape[-1]
    if keep is None:
      parts = jnp.split(self.in_proj(x), 3, axis=-1)
    else:
      query = self.in_proj(x[:, :keep], slice(width))
      parts = [query, *jnp.split(self.in_proj(x, slice(width, None)), 2, axis=-1)]
    if self.qv_bias is not None:
      for i, bias in ((0, self.qv_bias[...][:width]), (2, self.qv_bias[...][width:])):
        parts[i] = parts[i] + bias.astype(x.dtype)[None, None]
    return parts


class MLP(nnx.Module):
  """Two linear layers around the activation."""

  def __init__(self, config: TowerConfig, *, rngs: nnx.Rngs):
    self.activation, self.gated = config.activation, config.gated_mlp
    width, twice = config.width, config.mlp_input_norm
    self.input_norm = LayerNorm(width, config.epsilon) if twice else None
    self.c_fc = Linear(config.width, config.mlp_width * (2 if self.gated else 1), rngs=rngs)
    self.norm = LayerNorm(config.mlp_width, config.epsilon) if config.mlp_norm else None
    self.c_proj = Linear(config.mlp_width, config.width, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [..., D] -> [..., D]."""
    x = self.c_fc(x if self.input_norm is None else self.input_norm(x))
    if self.gated:
      gate, x = jnp.split(x, 2, axis=-1)
      x = ACTIVATIONS[self.activation](gate) * x
    else:
      x = ACTIVATIONS[self.activation](x)
    return self.c_proj(x if self.norm is None else self.norm(x))


class ResidualBlock(nnx.Module):
  """Attention, then MLP, each with its layer norm."""

  def __init__(self, config: TowerConfig, *, side: int, rngs: nnx.Rngs):
    width, self.post_norm = config.width, config.post_norm
    self.ln_1 = LayerNorm(width, config.epsilon)
    self.attn = Attention(config, side=side, rngs=rngs)
    self.ls_1 = nnx.Param(jnp.ones(width)) if config.layer_scale else None
    self.ln_2 = LayerNorm(width, config.epsilon)
    self.mlp = MLP(config, rngs=rngs)
    self.ls_2 = nnx.Param(jnp.ones(width)) if config.layer_scale else None

  def __call__(
    self,
    x: jax.Array,
    *,
    causal: bool,
    keep: int | None = None,
    angles: np.ndarray | None = None,
    seen: jax.Array | None = None,
  ) -> jax.Array:
    """As `Attention`."""
    attention = functools.partial(self.attn, causal=causal, keep=keep, angles=angles, seen=seen)
    x = x[:, :keep] + self._branch(attention, self.ln_1, self.ls_1, x)
    return x + self._branch(self.mlp, self.ln_2, self.ls_2, x)

  def _branch(
    self,
    layer: Callable[[jax.Array], jax.Array],
    norm: LayerNorm,
    scale: nnx.Param | None,
    x: jax.Array,
  ) -> jax.Array:
    """What `layer` adds."""
    y = norm(layer(x)) if self.post_norm else layer(norm(x))
    return y if scale is None else y * scale[...].astype(y.dtype)[None, None]


class Transformer(nnx.Module):
  """A stack of residual blocks.

  Args:
    config: of each of them.
    causal: whether position i sees only those up to i.
    prefix: how many positions come before the patches, and do not turn.
    side: of the grid of patches, where distances matter.
    rngs: of the weights.
  """

  def __init__(
    self,
    config: TowerConfig,
    *,
    causal: bool = False,
    prefix: int = 1,
    side: int = 0,
    rngs: nnx.Rngs,
  ):
    self.causal, self.prefix = causal, prefix
    self.rotary, self.pairs = config.rotary, config.width // config.heads // 2
    blocks = [ResidualBlock(config, side=side, rngs=rngs) for _ in range(config.layers)]
    self.resblocks = LayerList(blocks)

  def __call__(
    self, x: jax.Array, keep: int | None = None, seen: jax.Array | None = None
  ) -> jax.Array:
    """float [B, T, D] -> [B, keep, D]: the output at the first positions, by default at all.

    Of bool [B, T] `seen`, no position sees one that is false.

    Where only a class token is read, keep=1 saves most of the last block: a twelfth of the work of
    twelve layers.
    """
    angles = self._angles(x.shape[1])
    *blocks, last = self.resblocks
    for block in blocks:
      x = block(x, causal=self.causal, angles=angles, seen=seen)
    return last(x, causal=self.causal, keep=keep, angles=angles, seen=seen)

  def outputs(self, x: jax.Array) -> list[jax.Array]:
    """float [B, T, D] -> what each block gives, of the same shape."""
    angles, found = self._angles(x.shape[1]), []
    for block in self.resblocks:
      x = block(x, causal=self.causal, angles=angles)
      found.append(x)
    return found

  def _angles(self, length: int) -> np.ndarray | None:
    """float64 [T, D / heads / 2], if patches turn."""
    if self.rotary is None:
      return None
    angles = self.rotary.angles(math.isqrt(length - self.prefix), self.pairs)
    return np.concatenate([np.zeros((self.prefix, self.pairs)), angles])
