"""CLIP's text tower (Radford et al., 2021, section 2.4), and what others made of it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench import errors
from jaxbench.models.parts.layers import LayerNorm, Linear, Network
from jaxbench.models.parts.transformer import Transformer

POOLS = ("highest", "end", "first", "last")
PROJECTIONS = ("matrix", "linear", "none")


@dataclasses.dataclass(frozen=True)
class TextOptions:
  """How a text tower differs from CLIP's, which is the default."""

  causal: bool = True  # Whether a position sees only those up to it.
  # From `POOLS`, the position that is the text: that of the highest id, or of the first `end_id`.
  pool: str = "highest"
  end_id: int = 0
  class_token: bool = False  # CoCa's: behind all tokens and blind to padding, it is the text.
  pad_id: int = 0  # What it is blind to.
  projection: str = "matrix"  # From `PROJECTIONS`: "linear" has a bias.

  def __post_init__(self) -> None:
    for kind, value, known in (
      ("pool", self.pool, POOLS),
      ("projection", self.projection, PROJECTIONS),
    ):
      if value not in known:
        raise errors.unknown(kind, value, known)

  @property
  def reads_to_the_end(self) -> bool:
    """Whether nothing behind the end of a text changes what it is."""
    return self.causal and self.pool in ("highest", "end") and not self.class_token


class TextTransformer(Network):
  """The transformer; the output at one position is the text."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    width, self.vocabulary = config.text.width, config.vocabulary
    self.options: TextOptions = config.text_options
    rows = config.vocabulary_size if self.vocabulary is None else len(self.vocabulary)
    positions = config.context_length + self.options.class_token
    self.token_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (rows, width)))
    self.positional_embedding = nnx.Param(
      0.01 * jax.random.normal(rngs.params(), (positions, width))
    )
    self.class_embedding = (
      nnx.Param(0.01 * jax.random.normal(rngs.params(), (width,)))
      if self.options.class_token
      else None
    )
    self.transformer = Transformer(config.text, causal=self.options.causal, rngs=rngs)
    self.ln_final = LayerNorm(width, config.text.epsilon)
    kind, shape = self.options.projection, (width, config.embed_dim)
    self.head = Linear(*shape, rngs=rngs) if kind == "linear" else None
    matrix = width**-0.5 * jax.random.normal(rngs.params(), shape)
    self.text_projection = nnx.Param(matrix) if kind == "matrix" else None

  def embed(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T] -> [B, T, D]; a token that a cut table lacks is NaN, never another word."""
    table = self.token_embedding[...]
    if self.vocabulary is None:
      return table[tokens].astype(self.compute_dtype)
    ids = jnp.asarray(self.vocabulary, jnp.int32)
    rows = jnp.minimum(jnp.searchsorted(ids, tokens), len(self.vocabulary) - 1)
    kept = (ids[rows] == tokens)[..., None]
    return jnp.where(kept, table[rows], jnp.nan).astype(self.compute_dtype)

  def lengths(self, tokens: np.ndarray) -> np.ndarray:
    """int32 [B, T] -> int [B], how many of its tokens a text needs."""
    if not self.options.reads_to_the_end:
      return np.full(len(tokens), tokens.shape[1])
    return np.asarray(self.place(tokens)) + 1

  def place(self, tokens: Any) -> Any:
    """int32 [B, T] -> int [B], the position that is the text."""
    if self.options.pool == "highest":
      return tokens.argmax(axis=-1)
    if self.options.pool == "end":
      return (tokens == self.options.end_id).argmax(axis=-1)
    return (0 if self.options.pool == "first" else tokens.shape[1] - 1) + 0 * tokens[:, 0]

  def __call__(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T], T <= the context length -> float32 [B, D]."""
    x = self.embed(tokens)
    if self.class_embedding is None:
      return self.read(x, self.place(tokens))
    token = self.class_embedding[...].astype(x.dtype)[None, None]
    x = jnp.concatenate([x, jnp.broadcast_to(token, (len(x), 1, x.shape[-1]))], axis=1)
    # Its authors took the class token for the first when they hid padding; weights know it so.
    seen = jnp.pad(tokens != self.options.pad_id, ((0, 0), (1, 0)), constant_values=True)
    return self.read(x, jnp.full(len(x), tokens.shape[1]), seen)

  def read(self, x: jax.Array, end: jax.Array, seen: jax.Array | None = None) -> jax.Array:
    """Embedded tokens as a text.

    Args:
      x: float [B, T, D'].
      end: int32 [B], which position is the text.
      seen: bool [B, T], the positions that any sees; all by default.

    Returns:
      float32 [B, D].
    """
    x = x + self.positional_embedding[...].astype(x.dtype)[None, : x.shape[1]]
    x = self.ln_final(self.transformer(x, seen=seen))
    x = jnp.take_along_axis(x, end[:, None, None], axis=1)[:, 0]
    if self.head is not None:
      x = self.head(x)
    elif self.text_projection is not None:
      x = x @ self.text_projection[...].astype(x.dtype)
    return x.astype(jnp.float32)
