import gzip
import html
import random
import string

import ftfy
import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from jaxbench import models, tables
from jaxbench.models.encoders import tokenizer

PIECES = (
  "a photo of a {}.",
  "it's",
  "don't",
  "naïve",
  "Ünïcödé",
  "漢字かな",
  "한국어",
  "😀👩‍👩‍👧🏽",
  "&amp;",
  "&lt;b&gt;",
  "&amp;eacute;",
  "12345",
  "3.14",
  "A.B.C.",
  "\t",
  "\n  ",
  "hello-world_foo",
  "ﬁ",
  "…",
  "€",
  "schÃ¶n",
  "١٢٣",
  "x" * 90,
  "!!!",
  "#@$%^*()",
)


def _reference() -> transformers.CLIPTokenizer:
  """transformers' tokenizer on OpenAI's vocabulary, which its own code orders by bytes."""
  lines = gzip.decompress(tables.path("clip_bpe_merges.txt.gz").read_bytes()).decode().split("\n")
  merges = [tuple(line.split()) for line in lines[1:48895]]
  printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
  others = [byte for byte in range(256) if byte not in printable]
  symbols = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
  words = [*symbols, *(s + "</w>" for s in symbols), *("".join(m) for m in merges)]
  words += ["<|startoftext|>", "<|endoftext|>"]
  return transformers.CLIPTokenizer({word: i for i, word in enumerate(words)}, merges)


@pytest.mark.slow
def test_ids_equal_those_of_transformers_on_10000_varied_strings():
  draw = random.Random(0)
  words = ("dog", "Cat", "sailing", "ship", "of", "the", "Zürich", "7", "photograph")
  texts = [" ".join(draw.choices(PIECES + words, k=draw.randint(1, 30))) for _ in range(10_000)]
  cleaned = [html.unescape(html.unescape(ftfy.fix_text(text))).strip() for text in texts]
  expected = _reference()(cleaned, truncation=True, max_length=77)["input_ids"]
  for text, ids, row in zip(texts, expected, models.tokenize(texts), strict=True):
    assert row[: len(ids)].tolist() == ids, text
    assert not row[len(ids) :].any(), text


@given(st.text(string.printable + "&;#<amp", max_size=20))
def test_what_needs_no_repair_is_left_as_ftfy_leaves_it(text):
  assert tokenizer.clean(text) == html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def test_a_long_text_keeps_its_end_token():
  (row,) = models.tokenize(["word " * 200])
  assert row[0] == 49406
  assert row[-1] == 49407


def test_no_text_is_start_and_end():
  assert models.tokenize([""])[0, :3].tolist() == [49406, 49407, 0]
