"""RoBERTa and XLM-R (Liu et al., 2019, arXiv:1907.11692; Conneau et al., 2019, arXiv:1911.02116) as
text towers, which open_clip takes from transformers."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench.models.parts.layers import ACTIVATIONS, LayerList, LayerNorm, Linear, Network
from jaxbench.models.parts.transformer import MLP, Attention, TowerConfig
from jaxbench.models.weights.mapping import Renamings


@dataclasses.dataclass(frozen=True)
class RobertaConfig:
  """What shapes one; its tower's layer norms are of sums."""

  tower: TowerConfig
  positions: int = 514  # Rows of the table; the first are of padding, and of nothing.
  pad_id: int = 1
  hidden: bool = True  # Whether the projection is an MLP.

  @property
  def width(self) -> int:
    """Of the tower."""
    return self.tower.width

  @property
  def activation(self) -> str:
    """Of the tower."""
    return self.tower.activation


class Block(nnx.Module):
  """Attention, then MLP; a layer norm follows each sum."""

  def __init__(self, config: TowerConfig, *, rngs: nnx.Rngs):
    self.attn, self.mlp = Attention(config, side=1, rngs=rngs), MLP(config, rngs=rngs)
    self.ln_1, self.ln_2 = (LayerNorm(config.width, config.epsilon) for _ in range(2))

  def __call__(self, x: jax.Array, seen: jax.Array) -> jax.Array:
    """float [B, T, D] -> the same shape; no position sees one that is false in bool [B, T]."""
    x = self.ln_1(x + self.attn(x, causal=False, seen=seen))
    return self.ln_2(x + self.mlp(x))


class RobertaText(Network):
  """The transformer; the mean over all tokens but padding, projected, is the text."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    text: RobertaConfig = config.text
    width, outputs, self.pad_id = text.width, config.embed_dim, text.pad_id

    def table(rows: int) -> nnx.Param:
      return nnx.Param(0.02 * jax.random.normal(rngs.params(), (rows, width)))

    self.token_embedding = table(config.vocabulary_size)
    self.positional_embedding = table(text.positions)
    self.type_embedding = table(1)
    self.ln_pre = LayerNorm(width, text.tower.epsilon)
    self.layers = LayerList([Block(text.tower, rngs=rngs) for _ in range(text.tower.layers)])
    middle = (width + outputs) // 2
    self.hidden = Linear(width, middle, use_bias=False, rngs=rngs) if text.hidden else None
    self.proj = Linear(middle if text.hidden else width, outputs, use_bias=False, rngs=rngs)

  def lengths(self, tokens: np.ndarray) -> np.ndarray:
    """int32 [B, T] -> int [B], how many of its tokens a text needs: padding is not seen."""
    return (tokens != self.pad_id).sum(axis=1)

  def __call__(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T], T <= the context length -> float32 [B, D]."""
    seen = tokens != self.pad_id
    places = self.pad_id + jnp.where(seen, jnp.cumsum(seen, axis=1), 0)
    x = self.token_embedding[...][tokens] + self.type_embedding[...][None]
    x = self.ln_pre((x + self.positional_embedding[...][places]).astype(self.compute_dtype))
    for block in self.layers:
      x = block(x, seen)
    weights = seen.astype(x.dtype)
    x = jnp.einsum("bt,btd->bd", weights, x) / weights.sum(axis=1, keepdims=True)
    if self.hidden is not None:
      x = ACTIVATIONS["gelu"](self.hidden(x))
    return self.proj(x).astype(jnp.float32)


def layout(config: RobertaConfig) -> Renamings:
  """Into open_clip's names."""
  return (
    (r"^text\.token_embedding$", "text.transformer.embeddings.word_embeddings.weight"),
    (r"^text\.positional_embedding$", "text.transformer.embeddings.position_embeddings.weight"),
    (r"^text\.type_embedding$", "text.transformer.embeddings.token_type_embeddings.weight"),
    (r"^text\.ln_pre\.", "text.transformer.embeddings.LayerNorm."),
    (r"^text\.layers\.", "text.transformer.encoder.layer."),
    (r"^(text.*)attn\.in_proj", r"\1attention.self.{query,key,value}"),
    (r"^(text.*)attn\.out_proj", r"\1attention.output.dense"),
    (r"^(text.*)ln_1", r"\1attention.output.LayerNorm"),
    (r"^(text.*)mlp\.c_fc", r"\1intermediate.dense"),
    (r"^(text.*)mlp\.c_proj", r"\1output.dense"),
    (r"^(text.*)ln_2", r"\1output.LayerNorm"),
    (r"^text\.hidden\.", "text.proj.0."),
    (r"^text\.proj\.(?!0)", "text.proj.2." if config.hidden else "text.proj."),
  )


_BASE = TowerConfig(768, 12, 12, 3072, "gelu")
# By open_clip's `hf_model_name`, with the rows of its table of tokens.
NAMED: dict[str, tuple[RobertaConfig, int]] = {
  "roberta-base": (RobertaConfig(_BASE), 50_265),
  "xlm-roberta-base": (RobertaConfig(_BASE), 250_002),
  "xlm-roberta-large": (RobertaConfig(TowerConfig(1024, 24, 16, 4096, "gelu")), 250_002),
}
