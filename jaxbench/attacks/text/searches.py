"""Searches for a sentence: Charmer, LEAF's attack in training, substitutes from a list.

Each is a generator: it yields candidates, is sent their scores [n] float32, larger better, and
yields a sentence in a tuple of one after every edit. It returns nothing; what it yielded last, in a
tuple, is its answer. So a queue can score candidates of many sentences at once.
"""

import dataclasses
import hashlib
import json
import pathlib
import string
from collections.abc import Callable, Generator, Sequence
from typing import Annotated

import numpy as np

from jaxbench import errors, spec
from jaxbench.attacks.text import edits
from jaxbench.attacks.text.objectives import OBJECTIVES, REACHED
from jaxbench.attacks.text.words import Words

PRINTABLE = "".join(sorted(set(string.printable) - set("\t\n\r\x0b\x0c")))
Search = Generator[list[str] | tuple[str], np.ndarray | None, None]


@dataclasses.dataclass(frozen=True)
class Charmer:
  """See `charmer`."""

  n: int
  edits: int
  objective: str
  alphabet: str
  words: Words | None
  target: str | None = None

  @property
  def files(self) -> dict[str, str]:
    """SHA-256 of the files of arguments."""
    return _files(self.words)

  def most_candidates(self, length: int) -> int:
    """Of a sentence of so many characters."""
    tried = min(self.n, 2 * length + 1) * (len(self.alphabet) + 1)
    return self.edits * (2 * length + 1 + tried)

  def search(self, sentence: str, draw: np.random.Generator) -> Search:
    """Over one sentence; nothing is drawn."""
    del draw
    for _ in range(self.edits):
      places = edits.positions(sentence)
      scores = yield [edits.write(sentence, place, " ", deletes=True) for place in places]
      assert scores is not None
      best = np.sort(np.argsort(-scores, kind="stable")[: self.n])
      tried = [
        _allowed(sentence, edits.write(sentence, place, character), self.words)
        for place in best
        for character in ("", *self.alphabet)
      ]
      sentence = tried[_best((yield tried))]
      yield (sentence,)


@dataclasses.dataclass(frozen=True)
class Leaf:
  """See `leaf`."""

  rho: int
  edits: int
  objective: str
  alphabet: str
  words: Words | None
  target: str | None = None

  @property
  def files(self) -> dict[str, str]:
    """SHA-256 of the files of arguments."""
    return _files(self.words)

  def most_candidates(self, length: int) -> int:
    """Of any sentence."""
    del length
    return self.edits * 2 * self.rho

  def search(self, sentence: str, draw: np.random.Generator) -> Search:
    """Over one sentence, with its own draws."""
    for _ in range(self.edits):
      places = edits.positions(sentence)
      some = draw.choice(len(places), self.rho, replace=self.rho > len(places))
      scores = yield [edits.write(sentence, place, " ", deletes=True) for place in some]
      place = some[_best(scores)]
      letters = draw.choice(["", *self.alphabet], self.rho, replace=True)
      tried = [
        _allowed(sentence, edits.write(sentence, place, letter), self.words) for letter in letters
      ]
      sentence = tried[_best((yield tried))]
      yield (sentence,)


@dataclasses.dataclass(frozen=True)
class Listed:
  """See `listed`."""

  substitutes: dict[str, tuple[str, ...]] = dataclasses.field(hash=False)
  edits: int
  objective: str
  sha256: str  # Of the file.
  target: str | None = None

  @property
  def files(self) -> dict[str, str]:
    """SHA-256 of the files of arguments."""
    return {"file": self.sha256}

  def most_candidates(self, length: int) -> int:
    """Of a sentence of so many characters: words have at least one, and a space."""
    most = max(map(len, self.substitutes.values()), default=0)
    return self.edits * (1 + (length + 1) // 2 * most)

  def search(self, sentence: str, draw: np.random.Generator) -> Search:
    """Over one sentence; nothing is drawn."""
    del draw
    for _ in range(self.edits):
      parts = sentence.split(" ")
      tried = [sentence] + [
        " ".join([*parts[:place], other, *parts[place + 1 :]])
        for place, word in enumerate(parts)
        for other in self.substitutes.get(word.lower(), ())
      ]
      sentence = tried[_best((yield tried))]
      yield (sentence,)


TextAttack = Charmer | Leaf | Listed


def charmer(
  *,
  n: int = 20,
  edits: int = 1,
  objective: str = "margin",
  alphabet: str = PRINTABLE,
  words: str | Words | None = None,
  target: Annotated[str | None, spec.LATER] = None,
) -> Charmer:
  """Charmer (Abad Rocamora et al., 2024, arXiv:2405.04346): the best edit, again and again.

  At every position a space is written (one that stands there deleted); at the `n` positions that
  this helps most all characters are tried. The best candidate is taken even if it is worse.

  Args:
    n: positions; of 2 L + 1 all are tried, and the search is exhaustive for one edit.
    edits: how many, at most: a search for a goal ends where it is met.
    objective: one of `OBJECTIVES`.
    alphabet: what may be written; deletions are tried too.
    words: that no edit may make, each breaking one: of `Words`, or their file; None allows all.
    target: a sentence that texts are compared with, whatever is right: "sim" and "negl2" go towards
      it, "dissim", "l2" and "kl" away from it, as LEAF's evaluation of retrieval does.
  """
  _check(objective, target, n=n, edits=edits)
  return Charmer(n, edits, objective, alphabet, _read(words), target)


def leaf(
  *,
  rho: int = 20,
  edits: int = 1,
  objective: str = "l2",
  alphabet: str = PRINTABLE,
  words: str | Words | None = None,
  target: Annotated[str | None, spec.LATER] = None,
) -> Leaf:
  """LEAF's attack in training (Rocamora et al., 2025, arXiv:2506.03355): 2 rho passes an edit.

  A space at `rho` random positions, then `rho` random characters at the best of them.

  Args:
    rho: how many of each.
    edits: see `charmer`, as the others.
    objective: one of `OBJECTIVES`.
    alphabet: what may be written; a deletion is drawn as a character is.
    words: see `charmer`.
    target: see `charmer`.
  """
  _check(objective, target, rho=rho, edits=edits)
  return Leaf(rho, edits, objective, alphabet, _read(words), target)


def listed(
  *,
  file: str | pathlib.Path,
  edits: int = 1,
  objective: str = "dissim",
  target: Annotated[str | None, spec.LATER] = None,
) -> Listed:
  """Words are substituted by those that a file lists: {"word": ["other", ...], ...}.

  Co-Attack and SGA take substitutes from BERT; with a list that somebody else has made no parity
  with them is claimed.

  Raises:
    InputError: the file cannot be read, or lists other than single words.
  """
  _check(objective, target, edits=edits)
  try:
    content = pathlib.Path(file).read_bytes()
    table = {word.lower(): _several(others) for word, others in json.loads(content).items()}
  except (OSError, ValueError, AttributeError, TypeError) as error:
    raise errors.InputError(
      f'{file} lists no substitutes, {{"word": ["other"]}}: {errors.reason(error)}'
    ) from error
  for word, others in table.items():
    if several := [each for each in (word, *others) if " " in each]:
      raise errors.InputError(f"{file} has {several[0]!r} for {word!r}: one word stands for one")
  return Listed(table, edits, objective, hashlib.sha256(content).hexdigest(), target)


# By the names that a config has for them.
ATTACKS: dict[str, Callable[..., TextAttack]] = {
  "charmer": charmer,
  "leaf": leaf,
  "listed": listed,
}


def _check(objective: str, target: str | None, **counts: int) -> None:
  if objective not in OBJECTIVES:
    raise errors.unknown("objective of a text attack", objective, OBJECTIVES)
  if target is not None and objective in REACHED:
    raise errors.InputError(f"objective={objective!r} is of classes, and target one sentence")
  for name, count in counts.items():
    if count < 1:
      raise errors.InputError(f"{name}={count} must be at least 1")


def _several(others: list[str] | str) -> tuple[str, ...]:
  if isinstance(others, str):  # Its letters would be words.
    raise TypeError(f"{others!r} is no list")
  return tuple(map(str, others))


def _files(words: Words | None) -> dict[str, str]:
  return {} if words is None else {"words": words.sha256}


def _read(words: str | Words | None) -> Words | None:
  return Words.read(words) if isinstance(words, str) else words


def _allowed(before: str, after: str, words: Words | None) -> str:
  return after if words is None or words.allow(before, after) else before


def _best(scores: np.ndarray | Sequence[float] | None) -> int:
  """The first of the largest."""
  assert scores is not None
  return int(np.argmax(scores))
