"""What CLIP and SigLIP share: two towers, a temperature, one interface."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.layers import Network
from jaxbench.models.preprocess import Preprocess


class DualEncoder(nnx.Module):
  """An image and a text tower in one space; subclasses build them."""

  config: Any  # With `preprocess`, a Preprocess.
  visual: Network
  text: Network
  log_logit_scale: nnx.Param

  @property
  def preprocess(self) -> Preprocess:
    """How an image file becomes this model's input."""
    return self.config.preprocess

  @property
  def logit_scale(self) -> jax.Array:
    """float32 [], the factor on cosine similarities, already exponentiated."""
    return jnp.exp(self.log_logit_scale[...].astype(jnp.float32))

  def encode_image(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] at the model's size -> float32 [B, D], not normalised."""
    return self.visual(images)

  def encode_text(self, tokens: jax.Array) -> jax.Array:
    """int32 [B, T] of `tokenize` -> float32 [B, D], not normalised."""
    return self.text(jnp.asarray(tokens))
