"""Attacks on texts: candidates of many sentences in one queue, scored on the devices.

Strings are made and tokenised on the host, of one half of the sentences while the devices score
those of the other. The verdict is apart: what is returned is tokenised and scored anew.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxbench import errors
from jaxbench.attacks.text import edits, scoring
from jaxbench.attacks.text.objectives import REACHED
from jaxbench.attacks.text.scoring import Encoder, Lengths, Scorer, Tokenize
from jaxbench.attacks.text.searches import Listed, Search, TextAttack

TOGETHER = 64  # Sentences whose candidates wait together.


@dataclasses.dataclass(frozen=True)
class Result:
  """What an attack has made of N texts."""

  texts: list[str]
  score: np.ndarray  # float32 [N], of the objective, judged anew.
  clean_score: np.ndarray  # float32 [N], of the texts as they were.
  edits: np.ndarray  # int32 [N]: Levenshtein's distance to these; of substitutes changed words.
  candidates: np.ndarray  # int32 [N]: different token sequences that were scored.
  success: np.ndarray | None  # bool [N]: the goal is met; None of objectives without one.


def run(
  attack: TextAttack,
  encoder: Encoder,
  tokenize: Tokenize,
  texts: Sequence[str],
  anchors: Any = None,
  labels: Any = None,
  *,
  seed: int = 0,
  ids: Sequence[str] | None = None,
  lengths: Lengths | None = None,
  rows: int | None = None,
) -> Result:
  """Attacks texts, each by itself; those that meet the goal as they are stay so.

  Args:
    attack: of `charmer`, `leaf` or `listed`.
    encoder: of the texts.
    tokenize: what it reads of them.
    texts: N sentences.
    anchors: float32 [K, D] what features are compared with: classes, or a vector for each text; by
      default the features of the texts as they are. An attack with a target compares with that.
    labels: int [N] which anchor is a text's; by default its own.
    seed: of what is drawn.
    ids: by which draws are a text's own, whatever is attacked beside it; by default the texts.
    lengths: how many of its tokens each text needs, of an encoder that gives the same features with
      the rest cut off; candidates are then encoded at about as many positions as they need.
    rows: candidates of a batch, on all devices together; by default 128 on a CPU, else 2,048.

  Raises:
    InputError: labels or ids do not fit the texts, or features hold values that are no numbers, as
      a cut vocabulary gives.

  Example:
    >>> encoder = jax.tree_util.Partial(lambda clip, tokens: clip.encode_text(tokens), clip)
    >>> attack = attacks.text.charmer(objective="dissim")
    >>> found = attacks.text.run(attack, encoder, clip.tokenize, captions, images)
  """
  rows = rows or scoring.usual_rows()
  if attack.target is not None:
    anchors = scoring.features(encoder, tokenize([attack.target]), rows)
    labels = np.zeros(len(texts), np.int32)
  elif anchors is None:
    anchors = scoring.features(encoder, tokenize(list(texts)), rows)
  anchors = jnp.asarray(anchors, jnp.float32)
  labels = np.arange(len(texts)) if labels is None else np.asarray(labels)
  names = texts if ids is None else ids
  if not len(labels) == len(names) == len(texts) or labels.max(initial=0) >= len(anchors):
    raise errors.InputError(
      f"{len(texts)} texts, {len(labels)} labels, {len(names)} ids and {len(anchors)} anchors"
    )
  score = Scorer(attack.objective, encoder, tokenize, lengths, anchors, rows)
  clean = score(list(texts), labels)
  reached = REACHED.get(attack.objective, np.inf)
  found, counts = list(texts), np.zeros(len(texts), np.int32)
  left = np.flatnonzero(clean <= reached).tolist()
  for start in range(0, len(left), TOGETHER):
    some = left[start : start + TOGETHER]
    going = {
      row: _Going(attack.search(texts[row], _draw(seed, names[row])), texts[row]) for row in some
    }
    halves = [_Half({row: going[row] for row in part}, score, labels) for part in _halved(some)]
    while halves:
      halves = [half for half in halves if half.answered(counts, reached)]
    for row, one in going.items():
      found[row] = one.sentence
  return _judged(attack, score, texts, found, labels, clean, counts)


class _Going:
  """The search over one sentence, as far as it has come."""

  def __init__(self, search: Search, sentence: str):
    self._search, self.sentence = search, sentence
    self.asked: list[str] = []
    self._go_on(None)

  def answer(self, scores: np.ndarray, reached: float) -> None:
    """Gives it the scores of what it asked; it ends where one of its own is above `reached`."""
    best = scores.max()
    self._go_on(scores)
    # What was taken is the best of the last candidates.
    if self._taken and best > reached:
      self.asked = []

  def _go_on(self, scores: np.ndarray | None) -> None:
    self._taken, self.asked = False, []
    try:
      step = self._search.send(scores)
      if isinstance(step, tuple):
        (self.sentence,), self._taken = step, True
        step = next(self._search)
      assert isinstance(step, list)
      self.asked = step
    except StopIteration:
      pass


class _Half:
  """Some searches: the host makes their candidates while the devices score those of others."""

  def __init__(self, going: dict[int, _Going], score: Scorer, labels: np.ndarray):
    self._going, self._score, self._labels = going, score, labels
    self._ask()

  def _ask(self) -> None:
    """Has the candidates of all of them scored; nothing is waited for."""
    self._waiting = [row for row, one in self._going.items() if one.asked]
    asked = [self._going[row].asked for row in self._waiting]
    self._owners = np.repeat(self._waiting, list(map(len, asked)))
    if self._waiting:
      whole = [text for each in asked for text in each]
      self._scores = self._score.owned(whole, self._owners, self._labels)

  def answered(self, counts: np.ndarray, reached: float) -> bool:
    """Takes the scores and asks again; whether there is anything left.

    Args:
      counts: int32 [N], to which the candidates of each text are added.
      reached: see `_Going.answer`.
    """
    if self._waiting:
      scores, different = self._scores()
      for row in self._waiting:
        self._going[row].answer(scores[self._owners == row], reached)
        counts[row] += different[row]
      self._ask()
    return bool(self._waiting)


def _halved(rows: list[int]) -> list[list[int]]:
  return [part for part in (rows[::2], rows[1::2]) if part]


def _judged(
  attack: TextAttack,
  score: Scorer,
  texts: Sequence[str],
  found: list[str],
  labels: np.ndarray,
  clean: np.ndarray,
  counts: np.ndarray,
) -> Result:
  """The verdict: scored anew, and within the edits that were allowed."""
  final = score(found, labels)
  measure = _changed if isinstance(attack, Listed) else edits.distance
  distances = np.array([measure(*pair) for pair in zip(texts, found, strict=True)], np.int32)
  if (distances > attack.edits).any():
    row = int(np.argmax(distances))
    raise AssertionError(f"{found[row]!r} is {distances[row]} edits from {texts[row]!r}")
  goal = REACHED.get(attack.objective)
  return Result(found, final, clean, distances, counts, None if goal is None else final > goal)


def _changed(one: str, other: str) -> int:
  return sum(a != b for a, b in zip(one.split(" "), other.split(" "), strict=False))


def _draw(seed: int, name: str) -> np.random.Generator:
  return np.random.default_rng([seed, *name.encode()])
