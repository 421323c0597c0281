"""Class names behind a context of vectors, for whoever tunes it."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.models.encoders import tokenizer
from jaxbench.models.encoders.clip import CLIP
from jaxbench.models.encoders.text_transformer import TextTransformer
from jaxbench.models.prompting import context

PHRASE = "a photo of a"  # What prompts are tuned from.


@struct.dataclass
class Prompter:
  """A pytree callable: a context float [n, W] -> float32 [K, D], unit rows, one per class."""

  text: TextTransformer
  names: context.Suffixes

  def __call__(self, vectors: jax.Array) -> jax.Array:
    """The classes as the context has them; differentiable."""
    return context.encode_classes(self.text, self.names, vectors)


def phrase() -> context.TokenPrompts:
  """`PHRASE` as a prompt of tokens."""
  return context.TokenPrompts((tuple(tokenizer.encode([PHRASE])[0]),))


def prompter(clip: CLIP, class_names: Sequence[str]) -> tuple[Prompter, jax.Array]:
  """What reads a context before these names, and `PHRASE` as such a context, float32 [4, W].

  Raises:
    InputError: the model has no text tower of CLIP's kind, or cannot read a name.

  Example:
    >>> embed, context = prompter(models.load("digits-clip"), ["three", "seven"])
    >>> embed(context).shape
    (2, 64)
  """
  words = phrase()
  context.check(clip.config, class_names, words)
  (ids,) = words.ids
  text = context.text_tower(clip)
  vectors = text.embed(jnp.asarray(ids, jnp.int32)[None])[0].astype(jnp.float32)
  return Prompter(text, context.suffixes(clip.config, class_names, len(ids))), vectors
