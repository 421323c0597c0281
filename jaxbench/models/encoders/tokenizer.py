"""CLIP's byte-level BPE (Radford et al., 2021)."""

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
START, END = VOCABULARY_SIZE - 2, VOCABULARY_SIZE - 1  # Of a text.
_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_BROKEN = "\N{REPLACEMENT CHARACTER}"
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
  if text.isascii() and text.isprintable() and "&" not in text:
    return text.strip()  # There is nothing to repair, and ftfy takes a tenth of a millisecond.
  return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def encode(texts: Sequence[str]) -> list[list[int]]:
  """The BPE ids of each text, without start and end, however long."""
  encodings = clip_bpe().encode_batch([clean(text) for text in texts], add_special_tokens=False)
  return [encoding.ids for encoding in encodings]


def decode(ids: Sequence[int]) -> str:
  """What ids say, for people: `encode` may make other ids of it."""
  text = clip_bpe().decode(list(ids), skip_special_tokens=False)
  return text.replace("</w>", " ").strip()


@functools.cache
def printable() -> np.ndarray:
  """bool [49408]: the ids that decode to something one can print.

  Not so are the start and end of text, spaces, control characters and parts of a character.
  """
  texts = [decode([token]) for token in range(VOCABULARY_SIZE)]
  shown = [bool(text) and text.isprintable() and _BROKEN not in text for text in texts]
  shown[START] = shown[END] = False
  return np.array(shown)


def tokenize(texts: Sequence[str], length: int = CONTEXT_LENGTH) -> np.ndarray:
  """Token ids of `texts` as CLIP reads them.

  Args:
    texts: strings; longer ones are cut so that the end token stays.
    length: positions of the text encoder.

  Returns:
    int32 [B, length], start and end of text included, padded with 0.

  Example:
    >>> tokenize(["a photo of a cat"])[0, :7].tolist()
    [49406, 320, 1125, 539, 320, 2368, 49407]
  """
  tokens = np.zeros((len(texts), length), np.int32)
  for row, ids in zip(tokens, encode(texts), strict=True):
    row[: len(ids) + 2] = [START, *ids[: length - 2], END]
  return tokens
