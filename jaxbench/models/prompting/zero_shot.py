"""A zero-shot classifier: a CLIP whose text side has been embedded once."""

import collections
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from flax import struct

from jaxbench import errors
from jaxbench.models.encoders.clip import CLIP, CLIPConfig
from jaxbench.models.encoders.siglip import SigLIP
from jaxbench.models.encoders.tokenizer import tokenize
from jaxbench.models.foreign.custom import Custom
from jaxbench.models.parts.layers import Network, compute_in, normalize
from jaxbench.models.prompting import context
from jaxbench.models.prompting.prompts import Templates
from jaxbench.models.resized import resize_images

_BATCH = 256  # Sentences embedded at a time.
_STEP = 4  # Tokens by which the lengths of batches differ.
_MOST_TOLD = 5  # Names that several classes have; of captions there may be hundreds.


@struct.dataclass
class ZeroShot:
  """A pytree callable: images float32 [B, H, W, 3] in [0, 1] -> logits float32 [B, K]."""

  visual: Network
  text: jax.Array  # [D, K] float32, unit columns, one per class.
  logit_scale: jax.Array  # [] float32.
  logit_bias: jax.Array  # [] float32; 0 but for SigLIP.
  # Images of other sizes are resized to this, inside, so that gradients reach their own pixels.
  resize: int | None = struct.field(pytree_node=False, default=None)
  # [K] int32: of each class, the first that is called the same, whose logit it has; None if no two
  # are. Attacks take such classes for one.
  same_as: jax.Array | None = None

  def __call__(self, images: jax.Array) -> jax.Array:
    """Cosine similarity of each image to each class, times the logit scale, plus the bias."""
    return self.classify(self.features(images))

  def features(self, images: jax.Array) -> jax.Array:
    """Float32 [B, D] of the images, not normalised."""
    if self.resize is not None:
      images = resize_images(images, self.resize)
    return self.visual(images)

  def classify(self, features: jax.Array) -> jax.Array:
    """Logits of features [B, D] of any length."""
    logits = self.logit_scale * (normalize(features) @ self.text) + self.logit_bias
    return logits if self.same_as is None else logits[:, self.same_as]

  def compute_in(self, dtype: str) -> "ZeroShot":
    """See `models.compute_in`."""
    return compute_in(self, dtype)


@jax.jit
def _embed(clip: CLIP | SigLIP, tokens: jax.Array) -> jax.Array:
  """int32 [N, T] -> float32 [N, D], unit rows."""
  with jax.default_matmul_precision("highest"):
    return normalize(clip.encode_text(tokens))


def zero_shot(
  clip: CLIP | SigLIP | Custom,
  class_names: Sequence[str],
  templates: Templates,
  *,
  resize: bool = False,
  text: jax.Array | None = None,
) -> ZeroShot:
  """A classifier over `class_names` from prompts.

  The sentences of a class are ensembled as in CLIP (section 3.1.4): each embedding normalised,
  their mean, normalised. Classes that are called the same are logged: they share a logit, and the
  first of them is predicted.

  Args:
    clip: the model; a `Custom` with `encode_texts` too.
    class_names: K names; the logits come in their order.
    templates: prompts with one "{}" each, a dictionary from class name to its own sentences, or
      tokens or vectors that go before the name (`models.TokenPrompts`, `models.SoftPrompts`);
      `models.templates(name)` gives the well-known sets and reads files.
    resize: take images of any size and resize them inside (bicubic, antialiased).
    text: the `text` of an earlier classifier of the same three, which saves embedding them.

  Raises:
    InputError: a template lacks its "{}", a class its sentences, or the model's embedding table
      was cut and lacks a word, or tokens and a class name are longer than the model reads.

  Example:
    >>> classifier = zero_shot(clip, ["cat", "dog"], ["a photo of a {}."])
    >>> classifier(images).shape
    (8, 2)
  """
  check_prompts(clip.config, class_names, templates)
  same_as = _same_as(clip, class_names, templates)
  if text is None:
    text = _text(clip, class_names, templates).T
  size = clip.preprocess.size if resize else None
  return ZeroShot(clip.visual, text, clip.logit_scale, clip.logit_bias, size, same_as)


def _text(
  clip: CLIP | SigLIP | Custom, class_names: Sequence[str], templates: Templates
) -> jax.Array:
  """float32 [K, D], unit rows."""
  if isinstance(templates, context.ContextPrompts):
    assert isinstance(clip, CLIP)  # Or the check has raised.
    return context.ensemble(clip, class_names, templates)
  return _embed_sentences(clip, _sentences(class_names, templates))


def _embed_sentences(clip: CLIP | SigLIP | Custom, sentences: Sequence[Sequence[str]]) -> jax.Array:
  """The K classes [K, D] by their sentences, unit rows.

  Raises:
    InputError: there are no classes.
  """
  if not sentences:
    raise errors.InputError("a zero-shot classifier needs at least one class name")
  flat = [sentence for group in sentences for sentence in group]
  owners = jnp.asarray(np.repeat(np.arange(len(sentences)), [len(group) for group in sentences]))
  each = clip.embed_texts(flat) if isinstance(clip, Custom) else _embed_texts(clip, flat)
  return normalize(jax.ops.segment_sum(each, owners, len(sentences)))


def gallery(clip: CLIP | SigLIP | Custom, captions: Sequence[str]) -> jax.Array:
  """float32 [T, D], unit rows, of captions as they are: what images are compared with in retrieval.

  Args:
    clip: the model; a `Custom` with `encode_texts` too.
    captions: T sentences, cut off where the model reads no further.

  Raises:
    InputError: the model's embedding table was cut and lacks a word, or there are no captions.

  Example:
    >>> pairs = data.retrieval("wds_flickr30k")
    >>> captions = models.gallery(clip, pairs.captions)
    >>> found = retrieval.ranks(images, range(len(images)), captions, pairs.owners)
  """
  check_prompts(clip.config, captions, ["{}"])
  return _embed_sentences(clip, [[caption] for caption in captions])


def _embed_texts(clip: CLIP | SigLIP, texts: list[str]) -> jax.Array:
  """float32 [N, D], unit rows."""
  tokens = clip.tokenize(texts)
  return _embed_by_length(clip, tokens, clip.lengths(tokens))


def _same_as(
  clip: CLIP | SigLIP | Custom, class_names: Sequence[str], templates: Templates
) -> jax.Array | None:
  """Of each class, the first with the same tokens or, with sentences of its own, the same ones."""
  if isinstance(templates, Mapping):
    called: Sequence[Hashable] = [tuple(templates[name]) for name in class_names]
  elif isinstance(clip, Custom):
    called = list(class_names)
  else:
    called = [tokens.tobytes() for tokens in clip.tokenize(list(class_names))]
  places: dict[Hashable, list[int]] = collections.defaultdict(list)
  for index, key in enumerate(called):
    places[key].append(index)
  if len(places) == len(called):
    return None
  alike = [indices for indices in places.values() if len(indices) > 1]
  for indices in alike[:_MOST_TOLD]:
    name = class_names[indices[0]]
    logging.warning("classes %s are all called %r: the first is predicted", indices, name)
  if more := len(alike[_MOST_TOLD:]):
    logging.warning("%d more names are those of several classes", more)
  return jnp.asarray([places[key][0] for key in called], jnp.int32)


def _embed_by_length(clip: CLIP | SigLIP, tokens: np.ndarray, lengths: np.ndarray) -> jax.Array:
  """Sentences int32 [N, T] that end at `lengths` [N] -> float32 [N, D], unit rows.

  Batches are of sentences of about one length, because the longest of ImageNet's is three times as
  long as most; lengths are rounded up, so that there are few programs.
  """
  order = np.argsort(lengths, kind="stable")
  size, longest = min(_BATCH, len(tokens)), int(lengths.max())
  padded = np.pad(order, (0, -len(order) % size), mode="edge").reshape(-1, size)
  each = []
  for rows in padded:
    length = -(-int(lengths[rows[-1]]) // _STEP) * _STEP
    each.append(_embed(clip, tokens[rows, : min(length, longest)]))
  return jnp.concatenate(each)[: len(tokens)][np.argsort(order)]


def check_prompts(config: Any, class_names: Sequence[str], templates: Templates) -> None:
  """Raises InputError, as `zero_shot` does, for prompts that a model of `config` cannot read."""
  if isinstance(templates, context.ContextPrompts):
    context.check(config, class_names, templates)
    return
  if isinstance(templates, Mapping):
    if missing := [name for name in class_names if not templates.get(name)]:
      raise errors.InputError(f"the prompts have no sentence for class {missing[0]!r}")
  elif not templates:
    raise errors.InputError("no prompt template was given")
  elif broken := [template for template in templates if template.count("{}") != 1]:
    raise errors.InputError(f"prompt template {broken[0]!r} needs exactly one '{{}}'")
  if not isinstance(config, CLIPConfig) or config.vocabulary is None:
    return
  texts = [text for group in _sentences(class_names, templates) for text in group]
  unread = ~np.isin(tokenize(texts), config.vocabulary).all(axis=1)
  if unread.any():
    raise errors.InputError(
      f"this model's embedding table was cut to {len(config.vocabulary)} tokens and cannot read "
      f"{texts[int(unread.argmax())]!r}; use words it was trained on, or a full CLIP"
    )


def _sentences(
  class_names: Sequence[str], templates: Sequence[str] | Mapping[str, Sequence[str]]
) -> list[list[str]]:
  """The sentences of each class."""
  if isinstance(templates, Mapping):
    return [list(templates[name]) for name in class_names]
  return [[template.replace("{}", name) for template in templates] for name in class_names]
