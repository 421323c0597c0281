"""The constraint of LEAF: an edit may make no word, and has to break one."""

import dataclasses
import hashlib
import pathlib
import re

from jaxbench import errors

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclasses.dataclass(frozen=True)
class Words:
  """A list of words. Authors take nltk's; sentences are split at what is no letter or digit here,
  where theirs are by nltk's `word_tokenize`.
  """

  known: frozenset[str]  # In lower case.
  sha256: str  # Of the file.

  @classmethod
  def read(cls, path: str | pathlib.Path) -> "Words":
    """A file with a word a line.

    Raises:
      InputError: it cannot be read, or holds none.
    """
    try:
      content = pathlib.Path(path).read_bytes()
      known = frozenset(content.decode().lower().split())
    except (OSError, UnicodeDecodeError) as error:
      raise errors.InputError(f"{path} cannot be read as words: {errors.reason(error)}") from error
    if not known:
      raise errors.InputError(f"{path} holds no words")
    return cls(known, hashlib.sha256(content).hexdigest())

  def count(self, sentence: str) -> int:
    """How many different words of the list are in a sentence."""
    return len(self.known.intersection(_TOKEN.findall(sentence.lower())))

  def allow(self, before: str, after: str) -> bool:
    """Whether an edit leaves fewer words."""
    return self.count(after) < self.count(before)
