"""Attacks on texts: candidates of many sentences in one queue, scored on the devices.

Strings are made and tokenised on the host; candidates with the same tokens are scored once, in one
program of fixed shapes. The verdict is apart: what is returned is tokenised and scored anew.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import devices, errors
from jaxbench.attacks.text import edits
from jaxbench.attacks.text.objectives import OBJECTIVES, REACHED
from jaxbench.attacks.text.searches import Listed, Search, TextAttack

Encoder = Callable[[jax.Array], jax.Array]  # A pytree: tokens int32 [B, T] -> features [B, D].
Tokenize = Callable[[list[str]], np.ndarray]  # Texts -> int32 [B, T].
Lengths = Callable[[np.ndarray], np.ndarray]  # Tokens [B, T] -> [B].
_WIDTHS = (
  16,
  32,
)  # Positions that shorter texts are encoded at: few, so that few programs compile.
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
  rows: int = 2048,
) -> Result:
  """Attacks texts, each by itself; those that meet the goal as they are stay so.

  Args:
    attack: of `charmer`, `leaf` or `listed`.
    encoder: of the texts.
    tokenize: what it reads of them.
    texts: N sentences.
    anchors: float32 [K, D] what features are compared with: classes, or a vector for each text; by
      default the features of the texts as they are.
    labels: int [N] which anchor is a text's; by default its own.
    seed: of what is drawn.
    ids: by which draws are a text's own, whatever is attacked beside it; by default the texts.
    lengths: how many of its tokens each text needs, of an encoder that gives the same features with
      the rest cut off; candidates are then encoded at 16, 32 or all positions.
    rows: candidates of a batch, on all devices together.

  Raises:
    InputError: labels or ids do not fit the texts, or features hold values that are no numbers, as
      a cut vocabulary gives.

  Example:
    >>> encoder = jax.tree_util.Partial(lambda clip, tokens: clip.encode_text(tokens), clip)
    >>> attack = attacks.text.charmer(objective="dissim")
    >>> found = attacks.text.run(attack, encoder, clip.tokenize, captions, images)
  """
  if anchors is None:
    anchors = _features(encoder, tokenize(list(texts)), rows)
  anchors = jnp.asarray(anchors, jnp.float32)
  labels = np.arange(len(texts)) if labels is None else np.asarray(labels)
  names = texts if ids is None else ids
  if not len(labels) == len(names) == len(texts) or labels.max(initial=0) >= len(anchors):
    raise errors.InputError(
      f"{len(texts)} texts, {len(labels)} labels, {len(names)} ids and {len(anchors)} anchors"
    )
  score = _Scorer(attack.objective, encoder, tokenize, lengths, anchors, rows)
  clean = score(list(texts), labels)
  reached = REACHED.get(attack.objective, np.inf)
  found, counts = list(texts), np.zeros(len(texts), np.int32)
  left = np.flatnonzero(clean <= reached).tolist()
  for start in range(0, len(left), TOGETHER):
    some = left[start : start + TOGETHER]
    going = {
      row: _Going(attack.search(texts[row], _draw(seed, names[row])), texts[row]) for row in some
    }
    while waiting := [row for row, one in going.items() if one.asked]:
      asked = [going[row].asked for row in waiting]
      owners = np.repeat(waiting, list(map(len, asked)))
      scores, different = score.owned([text for each in asked for text in each], owners, labels)
      for row in waiting:
        going[row].answer(scores[owners == row], reached)
        counts[row] += different[row]
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


class _Scorer:
  """Scores texts in batches of one shape."""

  def __init__(
    self,
    objective: str,
    encoder: Encoder,
    tokenize: Tokenize,
    lengths: Lengths | None,
    anchors: jax.Array,
    rows: int,
  ):
    self._program = _program(objective)
    self._inputs = devices.replicate((encoder, anchors))
    self._tokenize, self._lengths = tokenize, lengths
    self._slots = -(-rows // devices.mesh().size)

  def __call__(self, texts: list[str], labels: np.ndarray) -> np.ndarray:
    """float32 [B] of texts, each with its label [B]."""
    return self.owned(texts, np.arange(len(texts)), labels)[0]

  def owned(
    self, texts: list[str], owners: np.ndarray, labels: np.ndarray
  ) -> tuple[np.ndarray, dict[int, int]]:
    """float32 [B] of texts of sentences [B], and how many different ones of each were scored."""
    tokens = self._tokenize(texts)
    keyed = np.column_stack([owners, tokens]).astype(np.int32)
    different, back = np.unique(keyed, axis=0, return_inverse=True)
    scores = self._scored(different[:, 1:], labels[different[:, 0]].astype(np.int32))
    if not np.isfinite(scores).all():
      bad = texts[int(np.argmin(np.isfinite(scores[back.ravel()])))]
      raise errors.InputError(
        f"the encoder gives no numbers for {bad!r}: a cut vocabulary has no characters to write"
      )
    count = dict(zip(*np.unique(different[:, 0], return_counts=True), strict=True))
    return scores[back.ravel()], {int(one): int(many) for one, many in count.items()}

  def _scored(self, tokens: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float32 [B], each at the fewest positions."""
    whole = tokens.shape[1]
    widths = sorted({min(width, whole) for width in (*_WIDTHS, whole)})
    needed = np.full(len(tokens), whole) if self._lengths is None else self._lengths(tokens)
    places = np.searchsorted(widths, needed)
    scores = np.empty(len(tokens), np.float32)
    for place in np.unique(places):
      rows = np.flatnonzero(places == place)
      arrays = np.ascontiguousarray(tokens[rows, : widths[place]]), labels[rows]
      batches = devices.stream(self._program, self._inputs, arrays, self._slots)
      scores[rows] = np.concatenate([batch.fetch() for batch in batches])
    return scores


def _features(encoder: Encoder, tokens: np.ndarray, rows: int) -> np.ndarray:
  """float32 [B, D] of tokens int32 [B, T]."""
  slots = min(-(-rows // devices.mesh().size), len(tokens))
  batches = devices.stream(_encoded(), devices.replicate(encoder), (tokens,), slots)
  return np.concatenate([batch.fetch() for batch in batches])


@functools.cache
def _encoded() -> Callable[..., jax.Array]:
  """A sharded program (encoder, tokens [B, T]) -> float32 [B, D]."""
  return devices.shard(lambda encoder, tokens: encoder(tokens).astype(jnp.float32))


@functools.cache
def _program(objective: str) -> Callable[..., jax.Array]:
  """A sharded program ((encoder, anchors), tokens [B, T], labels [B]) -> scores [B]."""

  def score(inputs: Any, tokens: jax.Array, labels: jax.Array) -> jax.Array:
    encoder, anchors = inputs
    features = encoder(tokens).astype(jnp.float32)
    return jax.vmap(OBJECTIVES[objective], (0, None, 0))(features, anchors, labels)

  return devices.shard(score)


def _judged(
  attack: TextAttack,
  score: _Scorer,
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
