"""A zero-shot classifier: a CLIP whose text side has been embedded once."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.models.clip import CLIP, CLIPConfig, VisionTransformer
from jaxbench.models.tokenizer import tokenize


@struct.dataclass
class ZeroShot:
  """A pytree callable: images float32 [B, H, W, 3] in [0, 1] -> logits float32 [B, K]."""

  visual: VisionTransformer
  text: jax.Array  # [D, K] float32, unit columns, one per class.
  logit_scale: jax.Array  # [] float32.

  def __call__(self, images: jax.Array) -> jax.Array:
    """Cosine similarity of each image to each class, times the logit scale."""
    return self.logit_scale * (normalize(self.visual(images)) @ self.text)


def normalize(x: jax.Array) -> jax.Array:
  """float32 [..., D] -> unit vectors."""
  return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


@jax.jit
def _class_embeddings(clip: CLIP, tokens: jax.Array) -> jax.Array:
  """int32 [K, T, 77] -> float32 [K, D]: normalise, mean over templates, normalise (CLIP, 3.1.4)."""
  with jax.default_matmul_precision("highest"):
    each = jax.lax.map(lambda t: normalize(clip.encode_text(t)).mean(axis=0), tokens, batch_size=8)
  return normalize(each)


def zero_shot(clip: CLIP, class_names: Sequence[str], templates: Sequence[str]) -> ZeroShot:
  """A classifier over `class_names` from prompts.

  Args:
    clip: the model.
    class_names: K names; the logits come in their order.
    templates: prompts with one "{}" each; `models.templates(name)` gives the well-known sets.

  Raises:
    InputError: a template lacks its "{}", or the model's embedding table was cut and lacks a word.

  Example:
    >>> classifier = zero_shot(clip, ["cat", "dog"], ["a photo of a {}."])
    >>> classifier(images).shape
    (8, 2)
  """
  check_prompts(clip.config, class_names, templates)
  tokens = tokenize(_sentences(class_names, templates))
  # Causal attention: what follows the last end token changes nothing.
  longest = int(tokens.argmax(axis=1).max()) + 1
  tokens = tokens[:, :longest].reshape(len(class_names), len(templates), longest)
  text = _class_embeddings(clip, jnp.asarray(tokens)).T
  return ZeroShot(clip.visual, text, clip.logit_scale)


def check_prompts(config: CLIPConfig, class_names: Sequence[str], templates: Sequence[str]) -> None:
  """Raises InputError, as `zero_shot` does, for prompts that a model of `config` cannot read."""
  if broken := [template for template in templates if template.count("{}") != 1]:
    raise errors.InputError(f"prompt template {broken[0]!r} needs exactly one '{{}}'")
  if config.vocabulary is None:
    return
  texts = _sentences(class_names, templates)
  unread = ~np.isin(tokenize(texts), config.vocabulary).all(axis=1)
  if unread.any():
    raise errors.InputError(
      f"this model's embedding table was cut to {len(config.vocabulary)} tokens and cannot read "
      f"{texts[int(unread.argmax())]!r}; use words it was trained on, or a full CLIP"
    )


def _sentences(class_names: Sequence[str], templates: Sequence[str]) -> list[str]:
  return [template.replace("{}", name) for name in class_names for template in templates]
