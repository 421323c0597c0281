"""What is done to captions before they are embedded, which differs between papers' code."""

import re
from collections.abc import Callable
from typing import NamedTuple

from jaxbench import errors


def _raw(caption: str) -> str:
  """As it stands there: CLIP_benchmark."""
  return caption


def _albef(caption: str) -> str:
  """30 words without marks: ALBEF, and with it SGA and Co-Attack."""
  plain = re.sub(r"""[,.'!?"()*#:;~]""", "", caption.lower())
  plain = plain.replace("-", " ").replace("/", " ").replace("<person>", "person")
  return _words(plain, 30)


def _leaf(caption: str) -> str:
  """50 words, with spaces for marks: LEAF, after the code of ARO."""
  return _words(re.sub(r"""[.!"()*#:;~]""", " ", caption.lower()), 50)


def _words(text: str, most: int) -> str:
  return " ".join(re.sub(r"\s{2,}", " ", text).strip().split(" ")[:most])


CLEANINGS: dict[str, Callable[[str], str]] = {"raw": _raw, "albef": _albef, "leaf": _leaf}
_NAME = re.compile(r"(?P<cleaning>\w+) captions(?: after '(?P<prefix>.*)')?", re.DOTALL)


class Wording(NamedTuple):
  """How captions are put to a model; its name stands in the place of a prompt set."""

  cleaning: str = "raw"  # One of `CLEANINGS`.
  prefix: str = ""  # Before each caption: CLIP's paper has "a photo of ".

  @property
  def name(self) -> str:
    """As rows have it."""
    after = f" after '{self.prefix}'" if self.prefix else ""
    return f"{self.cleaning} captions{after}"

  @classmethod
  def named(cls, name: str) -> "Wording | None":
    """That of a name; None if it is none, but a prompt set."""
    match = _NAME.fullmatch(name)
    return None if match is None else cls(match["cleaning"], match["prefix"] or "")

  def worded(self, caption: str) -> str:
    """What a model reads.

    Raises:
      InputError: there is no such cleaning.
    """
    if self.cleaning not in CLEANINGS:
      raise errors.unknown("way to clean captions", self.cleaning, CLEANINGS)
    return self.prefix + CLEANINGS[self.cleaning](caption)
