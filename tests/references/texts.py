"""Strings that tokenizers disagree about, and tokenizers of the kinds that CLIPs have."""

import random

import transformers

_PIECES = (
  *(
    "a photo of a {}.",
    "it's",
    "don't",
    "naïve",
    "Ünïcödé",
    "漢字かな",
    "한국어",
    "😀👩‍👩‍👧🏽",
    "ÀÉ",
  ),
  *("&amp;", "&lt;b&gt;", "&amp;eacute;", "12345", "3.14", "A.B.C.", "\t", "\n  ", "x" * 9, "İ"),
  *("hello-world_foo", "ﬁ", "…", "€", "schÃ¶n", "١٢٣", "!!!", "#@$%^*()", "“quoted”", "—", "¿qué?"),
  *("dog", "Cat", "SAILING", "ship", "of", "the", "Zürich", "7", "photograph", "▁"),
)


def _strings() -> list[str]:
  draw = random.Random(0)
  return ["", " ", *(" ".join(draw.choices(_PIECES, k=draw.randint(1, 12))) for _ in range(498))]


STRINGS = _strings()
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'!-_éüñ漢字😀"


def write_t5(folder, pad="</s>"):
  """A SentencePiece model as T5 and SigLIP have one, written by transformers."""
  pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -3.0)]
  pieces += [(letter, -4.0) for letter in _LETTERS]
  pieces += [(f"▁{word}", -2.0) for word in ("photo", "of", "a", "cat", "dog", "the", "ship")]
  tokenizer = transformers.T5TokenizerFast(vocab=pieces, extra_ids=0, pad_token=pad)
  tokenizer.save_pretrained(folder)


def write_bert(folder):
  """A WordPiece model that lowercases, as CLIPA has one."""
  words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(_LETTERS.lower())]
  words += [f"##{letter}" for letter in dict.fromkeys(_LETTERS.lower())] + ["photo", "cat", "##to"]
  tokenizer = transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})
  tokenizer.save_pretrained(folder)


def write_xlm_roberta(folder):
  """A SentencePiece model whose texts begin with a token, too, as MetaCLIP 2 has one."""
  pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -3.0)]
  pieces += [(letter, -4.0) for letter in _LETTERS] + [("▁photo", -2.0), ("▁cat", -2.0)]
  pieces.append(("<mask>", 0.0))
  transformers.XLMRobertaTokenizerFast(vocab=pieces).save_pretrained(folder)
