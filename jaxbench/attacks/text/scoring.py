"""Scores of candidates, in programs of few shapes; those with the same tokens are scored once."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import devices, errors, seats
from jaxbench.attacks.text.objectives import OBJECTIVES

Encoder = Callable[[jax.Array], jax.Array]  # A pytree: tokens int32 [B, T] -> features [B, D].
Tokenize = Callable[[list[str]], np.ndarray]  # Texts -> int32 [B, T].
Lengths = Callable[[np.ndarray], np.ndarray]  # Tokens [B, T] -> [B].
Scored = Callable[[], tuple[np.ndarray, dict[int, int]]]
# Positions that shorter texts are encoded at: few, so that few programs compile.
_WIDTHS = (16, 18, 20, 22, 24, 28, 32, 40, 48, 56, 64)
_ROWS, _ROWS_ON_CPU = 2048, 128  # Of a batch: cores are as busy with few, and fewer are filled up.


def usual_rows() -> int:
  """Candidates of a batch, on all devices together."""
  return _ROWS_ON_CPU if seats.on_cpu() else _ROWS


class Scorer:
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
    scores, _ = self.owned(texts, np.arange(len(texts)), labels)()
    return scores

  def owned(self, texts: list[str], owners: np.ndarray, labels: np.ndarray) -> Scored:
    """Has texts of sentences [B] scored; what it returns waits for the devices.

    It then gives float32 [B], and how many different ones of each sentence were scored. It raises
    InputError if some are no numbers.
    """
    tokens = self._tokenize(texts)
    keyed = np.column_stack([owners, tokens]).astype(np.int32)
    different, back = np.unique(keyed, axis=0, return_inverse=True)
    dispatched = self._dispatched(different[:, 1:], labels[different[:, 0]].astype(np.int32))
    count = dict(zip(*np.unique(different[:, 0], return_counts=True), strict=True))

    def scored() -> tuple[np.ndarray, dict[int, int]]:
      scores = np.empty(len(different), np.float32)
      for rows, batch in dispatched:
        scores[rows] = batch.fetch()
      whole = scores[back.ravel()]
      if not np.isfinite(whole).all():
        raise errors.InputError(
          f"the encoder gives no numbers for {texts[int(np.argmin(np.isfinite(whole)))]!r}: a cut "
          "vocabulary has no characters to write"
        )
      return whole, {int(one): int(many) for one, many in count.items()}

    return scored

  def _dispatched(
    self, tokens: np.ndarray, labels: np.ndarray
  ) -> list[tuple[np.ndarray, devices.Batch]]:
    """Rows and their scores, each at few positions: what fills no batch joins those of more."""
    whole, size = tokens.shape[1], self._slots * devices.mesh().size
    widths = sorted({min(width, whole) for width in (*_WIDTHS, whole)})
    needed = np.full(len(tokens), whole) if self._lengths is None else self._lengths(tokens)
    places = np.searchsorted(widths, needed)
    found, left = np.unique(places), np.zeros(0, np.int64)
    dispatched: list[tuple[np.ndarray, devices.Batch]] = []
    for place in found:
      rows = np.concatenate([left, np.flatnonzero(places == place)])
      full = len(rows) if place == found[-1] else len(rows) // size * size
      rows, left = rows[:full], rows[full:]
      arrays = np.ascontiguousarray(tokens[rows, : widths[place]]), labels[rows]
      batches = devices.dispatch(self._program, self._inputs, arrays, self._slots)
      dispatched += [(rows[batch.examples], batch) for batch in batches]
    return dispatched


def features(encoder: Encoder, tokens: np.ndarray, rows: int) -> np.ndarray:
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
