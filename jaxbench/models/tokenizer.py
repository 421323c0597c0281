"""CLIP's byte-level BPE, built from OpenAI's merges table (Radford et al., 2021)."""

import functools
import gzip
import html
from collections.abc import Sequence

import ftfy
import numpy as np
import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

from jaxbench import tables

CONTEXT_LENGTH = 77
VOCABULARY_SIZE = 49_408
_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_NUM_MERGES = 48_894  # The first of the 262,144 in the table.


@functools.cache
def clip_bpe() -> tokenizers.Tokenizer:
  """CLIP's tokenizer; start and end of text are the last two of its 49,408 ids."""
  with gzip.open(tables.path("clip_bpe_merges.txt.gz"), "rt", encoding="utf-8") as file:
    lines = file.read().split("\n")[1 : _NUM_MERGES + 1]
  merges = [(first, second) for first, second in (line.split() for line in lines)]
  symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
  words = [*symbols, *(symbol + "</w>" for symbol in symbols), *("".join(pair) for pair in merges)]
  words += ["<|startoftext|>", "<|endoftext|>"]
  tokenizer = tokenizers.Tokenizer(
    models.BPE({word: i for i, word in enumerate(words)}, merges, end_of_word_suffix="</w>")
  )
  tokenizer.normalizer = normalizers.Sequence(
    [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
  )
  tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [
      pre_tokenizers.Split(Regex(_PATTERN), "removed", invert=True),
      pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
  )
  tokenizer.decoder = decoders.ByteLevel()
  tokenizer.add_special_tokens(words[-2:])
  return tokenizer


def clean(text: str) -> str:
  """OpenAI's cleaning: repair mojibake, then resolve HTML entities twice."""
  return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def tokenize(texts: Sequence[str]) -> np.ndarray:
  """Token ids of `texts` as CLIP reads them.

  Args:
    texts: strings; longer ones are cut so that the end token stays.

  Returns:
    int32 [B, 77], start and end of text included, padded with 0.

  Example:
    >>> tokenize(["a photo of a cat"])[0, :7].tolist()
    [49406, 320, 1125, 539, 320, 2368, 49407]
  """
  start, end = VOCABULARY_SIZE - 2, VOCABULARY_SIZE - 1
  tokens = np.zeros((len(texts), CONTEXT_LENGTH), np.int32)
  encodings = clip_bpe().encode_batch([clean(text) for text in texts], add_special_tokens=False)
  for row, encoding in zip(tokens, encodings, strict=True):
    ids = [start, *encoding.ids[: CONTEXT_LENGTH - 2], end]
    row[: len(ids)] = ids
  return tokens
