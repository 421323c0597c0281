"""The two typographic data sets of RoZ (Wang et al., 2024, arXiv:2403.10499).

Its record of which word stands on which image is kept to; the places were never recorded.
"""

import functools
import gzip
import json
import re
from typing import Any

from jaxbench import tables
from jaxbench.typography.layout import Layout
from jaxbench.typography.overlay import Overlay
from jaxbench.typography.words import Words

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def imagenet_t() -> Overlay:
  """ImageNet-T: eight white copies of a one-word synset on the image as stored.

  The word is the recorded one where an id holds the name of a validation image
  (`ILSVRC2012_val_00000001`); for the 273 that the record lacks, and in other data sets with
  OpenAI's class names, one of the same 309 words is drawn.

  RoZ draws with OpenCV's FONT_HERSHEY_DUPLEX at scale 0.8, which Pillow does not have. In
  DejaVu Sans of 23 pixels capitals are 17 high instead of 18, x-heights 13 instead of 12, and
  over the 309 words 7 % less width holds 19 % more ink (against OpenCV 4.12); edges are smooth.
  Letters that hang below the line may leave RoZ's images and boxes but not these; nor does a
  narrow image lose its text.
  """
  layout = Layout(size=23, copies=8, outline=0, font="DejaVuSans")
  words = Words(spelling=_synset_words(), complete=False, recorded=_imagenet_word)
  return Overlay(words, layout, original=True)


def cifar10_t() -> Overlay:
  """CIFAR-10-T: four white copies of another class's name on the image at the model's resolution.

  The word is the recorded one; ids must end in the position within the test set.

  RoZ's pictures are matplotlib figures: the image with its axes, their labels and wide margins,
  so that its drop mixes two effects. Here is the text alone, in the same proportion to the image
  (20 points on 554 pixels at 150 dpi) and the font that matplotlib falls back to where there is
  no Times New Roman. All of it stays on the image; there it may end in the margin.
  """
  layout = Layout(size=20 / 72 * 150 / 554, copies=4, outline=0, font="DejaVuSans")
  words = Words(spelling={name: name for name in CIFAR10}, recorded=_cifar10_word)
  return Overlay(words, layout)


def _imagenet_word(example: str) -> str | None:
  """OpenAI's name of the class that RoZ wrote on a validation image."""
  match = re.search(r"ILSVRC2012_val_(\d{8})", example)
  classes = _table("roz_imagenet_t_words.json.gz")["word_class"]
  if match is None or not 1 <= int(match[1]) <= len(classes):
    return None
  recorded = classes[int(match[1]) - 1]
  return None if recorded is None else _table("imagenet1k_openai_classnames.json")[recorded]


def _cifar10_word(example: str) -> str | None:
  match = re.search(r"\d+$", example)
  pairs = _table("roz_cifar10_t_words.json.gz")["cifar10_test"]  # Label and written class.
  return CIFAR10[pairs[int(match[0])][1]] if match and int(match[0]) < len(pairs) else None


@functools.cache
def _synset_words() -> dict[str, str]:
  """The 309 synsets of one word, by OpenAI's name of the class."""
  names = _table("imagenet1k_openai_classnames.json")
  return {names[int(label)]: word for label, word in _table("imagenet1k_synset_words.json").items()}


@functools.cache
def _table(name: str) -> Any:
  content = tables.path(name).read_bytes()
  return json.loads(gzip.decompress(content) if name.endswith(".gz") else content)
