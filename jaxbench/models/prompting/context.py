"""Prompts that are no sentences: tokens or vectors in front of a class name, searched or learnt.

CoOp calls them the context of the class name (Zhou et al., 2022, arXiv:2109.01134); RoZ's CLIP-Auto
has four tokens of AutoPrompt (Shin et al., 2020, arXiv:2010.15980). Nothing else stands around the
name: start of text, context, name, end of text.
"""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.models.architectures import ARCHITECTURES, Config
from jaxbench.models.encoders import tokenizer
from jaxbench.models.encoders.clip import CLIP, CLIPConfig
from jaxbench.models.encoders.text_transformer import TextTransformer
from jaxbench.models.parts.layers import normalize

_BATCH = 256  # Class names that the text tower reads at a time.
_SENTENCES = "prompts of tokens or vectors are for CLIP's text tower; use sentences for this model"


class TokenPrompts(NamedTuple):
  """An ensemble of prompts for any CLIP: decoding and encoding their ids may give others."""

  ids: tuple[tuple[int, ...], ...]  # [P, n], of CLIP's BPE.


class SoftPrompts(NamedTuple):
  """An ensemble of prompts that are no words; they mean nothing to other weights."""

  vectors: tuple[tuple[tuple[float, ...], ...], ...]  # [P, n, W], in place of embedded tokens.
  weights: str  # SHA-256 of the model that they were learnt for, as its description has it.


class EncoderPrompts(NamedTuple):
  """Each encoder's own; others have none."""

  encoders: Mapping[str, TokenPrompts]  # By the name of the architecture.


ContextPrompts = TokenPrompts | SoftPrompts | EncoderPrompts


def check(config: Config, class_names: Sequence[str], prompts: ContextPrompts) -> None:
  """Raises InputError for prompts that a model of `config` cannot read before these names."""
  if not isinstance(config, CLIPConfig) or config.tokenizer or not _reads_to_the_end(config):
    raise errors.InputError(_SENTENCES)
  if not class_names:
    raise errors.InputError("a zero-shot classifier needs at least one class name")
  prompts = _for_encoder(config, prompts)
  contexts: Sequence[Sequence[object]]
  if isinstance(prompts, TokenPrompts):
    contexts = prompts.ids
    _check_vocabulary(config, itertools.chain(*prompts.ids), "the prompts")
  else:
    contexts = prompts.vectors
    if (width := len(prompts.vectors[0][0])) != config.text.width:
      raise errors.InputError(
        f"the prompts are vectors of {width} numbers, and this model's words of {config.text.width}"
      )
  suffixes(config, class_names, len(contexts[0]))


def text_tower(clip: CLIP) -> TextTransformer:
  """Where prompts that are no sentences go.

  Raises:
    InputError: it is no tower of that kind.
  """
  if not isinstance(clip.text, TextTransformer):
    raise errors.InputError(_SENTENCES)
  return clip.text


@struct.dataclass
class Suffixes:
  """What follows a context: the tokens of each class name, the end of text, zeros.

  A few names are much longer than the others, so there are two groups: of ImageNet's 1000 names
  908 have at most three tokens and one has twelve, and the text tower reads 9.8 tokens a class
  where it would read 18 (ViT-B/32 on two CPU cores: 8.6 instead of 24 seconds).
  """

  groups: tuple[jax.Array, ...]  # One or two of int32 [k, L], short names first.
  places: jax.Array  # [K] int32, of each class among the rows of both.


def suffixes(config: CLIPConfig, class_names: Sequence[str], length: int) -> Suffixes:
  """What follows a context of `length` tokens.

  Raises:
    InputError: a name is too long, or has a token that a cut embedding table lacks.
  """
  names = tokenizer.encode(class_names)
  for name, ids in zip(class_names, names, strict=True):
    _check_vocabulary(config, ids, f"class name {name!r}")
    if (total := 1 + length + len(ids) + 1) > config.context_length:
      raise errors.InputError(
        f"a prompt of {length} tokens before class name {name!r} makes {total} tokens, and this "
        f"model reads {config.context_length}; use shorter ones"
      )
  sizes = np.array([len(ids) for ids in names])
  short = _split(sizes, length)
  order = np.argsort(sizes > short, kind="stable")
  groups = [[names[row] for row in order if (sizes[row] > short) == long] for long in (False, True)]
  return Suffixes(
    tuple(jnp.asarray(_rows(group)) for group in groups if group),
    jnp.asarray(np.argsort(order), jnp.int32),
  )


def _split(sizes: np.ndarray, length: int) -> int:
  """The longest of the short names, so that both groups are the fewest tokens."""
  around = length + 2

  def tokens(short: int) -> int:
    few = int((sizes <= short).sum())
    return few * (short + around) + (len(sizes) - few) * int(sizes.max() + around)

  return min(np.unique(sizes).tolist(), key=tokens)


def _rows(names: Sequence[Sequence[int]]) -> np.ndarray:
  """int32 [k, L]."""
  rows = np.zeros((len(names), max(map(len, names)) + 1), np.int32)
  for row, ids in zip(rows, names, strict=True):
    row[: len(ids) + 1] = [*ids, tokenizer.END]
  return rows


def encode_classes(text: TextTransformer, names: Suffixes, context: jax.Array) -> jax.Array:
  """The classes as `context` has them; differentiable.

  Args:
    text: of a CLIP.
    names: of the K classes.
    context: float [n, W], embedded tokens or whatever stands in their place.

  Returns:
    float32 [K, D], unit rows.
  """
  start = text.embed(jnp.full((1, 1), tokenizer.START))[0]

  @jax.checkpoint  # The memory of a backward pass is that of one batch.
  def encode(name: jax.Array) -> jax.Array:
    x = jnp.concatenate([start, context, text.embed(name[None])[0]])
    end = len(context) + 1 + jnp.argmax(name)  # The end has the highest id.
    return text.read(x[None], end[None])[0]

  each = [jax.lax.map(encode, group, batch_size=_even(len(group))) for group in names.groups]
  return normalize(jnp.concatenate(each)[names.places])


def ensemble(clip: CLIP, class_names: Sequence[str], prompts: ContextPrompts) -> jax.Array:
  """float32 [K, D]: of each class the normalised mean of its normalised embeddings.

  Raises:
    InputError: `check` does.
  """
  prompts = _for_encoder(clip.config, prompts)
  if isinstance(prompts, TokenPrompts):
    contexts = text_tower(clip).embed(jnp.array(prompts.ids, jnp.int32))
  else:
    contexts = jnp.array(prompts.vectors, jnp.float32).astype(clip.text.compute_dtype)
  names = suffixes(clip.config, class_names, contexts.shape[1])
  return _ensemble(text_tower(clip), names, contexts)


@jax.jit
def _ensemble(text: TextTransformer, names: Suffixes, contexts: jax.Array) -> jax.Array:
  with jax.default_matmul_precision("highest"):
    each = jax.lax.map(functools.partial(encode_classes, text, names), contexts)
    return normalize(each.mean(axis=0))


def _for_encoder(config: CLIPConfig, prompts: ContextPrompts) -> TokenPrompts | SoftPrompts:
  """Those of `prompts` that were searched for this encoder.

  An encoder is known by its shape, in which its activation is; weights are not looked at.
  """
  if not isinstance(prompts, EncoderPrompts):
    return prompts
  shape = ("vision", "text", "embed_dim", "patch_size", "vocabulary")
  for name, searched in prompts.encoders.items():
    if all(getattr(config, part) == getattr(ARCHITECTURES[name], part) for part in shape):
      return searched
  raise errors.InputError(
    f"these prompts were searched for {', '.join(prompts.encoders)}, and this is none of them"
  )


def _check_vocabulary(config: CLIPConfig, ids: Iterable[int], what: str) -> None:
  count = tokenizer.VOCABULARY_SIZE
  vocabulary = range(count) if config.vocabulary is None else config.vocabulary
  for token in ids:
    if token not in vocabulary:
      raise errors.InputError(
        f"this model's embedding table has {len(vocabulary)} tokens and lacks one of {what}: "
        f"{token} ({tokenizer.decode([token])!r})"
      )


def _reads_to_the_end(config: CLIPConfig) -> bool:
  """Whether a text is what its end token, which has the highest id, says."""
  return config.text_options.reads_to_the_end and config.text_options.pool == "highest"


def _even(count: int) -> int:
  """The size of the fewest batches that are alike, or nearly: no program for a small rest."""
  batches = -(-count // _BATCH)
  return -(-count // batches)
