"""What CLIP and SigLIP share: two towers, a temperature, one interface."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench.models.parts.layers import Network
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights.mapping import Renamings


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

  def lengths(self, tokens: np.ndarray) -> np.ndarray:
    """int32 [B, T] -> int [B], how many of its tokens a text needs: what follows changes nothing.

    All, unless attention is causal.
    """
    return np.full(len(tokens), tokens.shape[1])


# Into the names of transformers: of both towers, then of what holds them.
TOWER_KEYS: Renamings = (
  (r"^(visual|text)\.transformer\.resblocks", r"\1.encoder.layers"),
  (r"ln_1", "layer_norm1"),
  (r"ln_2", "layer_norm2"),
  (r"attn\.in_proj", "self_attn.{q_proj,k_proj,v_proj}"),
  (r"attn\.out_proj", "self_attn.out_proj"),
  (r"mlp\.c_fc", "mlp.fc1"),
  (r"mlp\.c_proj", "mlp.fc2"),
  (r"^visual\.conv1", "visual.embeddings.patch_embedding"),
  (r"^(visual|text)\.positional_embedding", r"\1.embeddings.position_embedding.weight"),
  (r"^text\.token_embedding", "text.embeddings.token_embedding.weight"),
  (r"^visual\.ln_post", "visual.post_layernorm"),
  (r"^text\.ln_final", "text.final_layer_norm"),
)
ROOT_KEYS: Renamings = (
  (r"^log_logit_scale$", "logit_scale"),
  (r"^visual\.", "vision_model."),
  (r"^text\.", "text_model."),
)
# Into open_clip's, where the text tower is a module of its own (`custom_text`).
OPEN_CLIP_KEYS: Renamings = (
  (r"in_proj\.(weight|bias)$", r"in_proj_\1"),  # torch.nn.MultiheadAttention.
  (r"^log_logit_scale$", "logit_scale"),
  (r"^text\.token_embedding$", "text.token_embedding.weight"),
  (r"^text\.class_embedding$", "text.cls_emb"),
  (r"^text\.head\.", "text.text_projection."),
  (r"\.ls_([12])$", r".ls_\1.gamma"),
)
