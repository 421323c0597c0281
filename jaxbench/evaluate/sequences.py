"""Sequences of frames: each frame of a batch made once, classified by all, compared, forgotten."""

import collections
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import attacks, corruptions, data, devices
from jaxbench.attacks.engine import verdict
from jaxbench.evaluate import evaluator, pictures
from jaxbench.evaluate.blocks import Block
from jaxbench.plan import Cell, changes
from jaxbench.telemetry import clock


def judged(
  judging: evaluator.Judge, cells: list[Cell], block: Block
) -> dict[Cell, evaluator.Columns]:
  """What one sequence does to the predictions of classifiers that share its frames.

  On the device there are never all frames of an image: one or two batches of frames, what the next
  frame follows from, and logits.
  """
  first, settings = cells[0], judging.settings
  asked = settings.corruptions
  shape = block.images.shape[1], first.size
  constants = asked.variant, asked.difficulty, asked.im_round
  film, start, advance = _programs(str(first.sequence), *shape, *constants, settings.seed)
  indices = [devices.replicate(jnp.int32(index)) for index in range(film.length)]
  stream = devices.replicate(data.hash_id(first.stream))
  parts: dict[Cell, list[evaluator.Columns]] = {cell: [] for cell in cells}
  kept: list[bytes | None] = []
  for batch in devices.stream(start, stream, (block.hashes, block.images), settings.slots):
    seen = {cell: _Seen(1 if film.is_noise else asked.difficulty, film.is_noise) for cell in cells}
    state = batch.result
    for index in indices:
      state, images = advance(index, state)
      for cell, own in seen.items():
        own.add(_logits()(judging.classifier(cell.model, cell.prompts), images))
    for cell, own in seen.items():
      parts[cell].append(own.columns(batch.examples))
    rows = np.arange(batch.examples.start, batch.examples.stop)
    last = devices.Batch(batch.examples, images)
    kept += pictures.keep(rows, block, functools.partial(pictures.fetch_batch, last))
  none = np.zeros(len(block.ids), np.int32)
  shared = {"forwards": none + film.length, "backwards": none, "picture": kept}
  return {
    cell: {name: np.concatenate([part[name] for part in found]) for name in found[0]} | shared
    for cell, found in parts.items()
  }


class _Seen:
  """What one classifier has said of the frames of a batch so far.

  Args:
    step: how many frames apart two are compared.
    is_noise: all are compared with the first.
  """

  def __init__(self, step: int, is_noise: bool):
    self._is_noise, self._earlier = is_noise, collections.deque[jax.Array](maxlen=step)
    self._changes: list[changes.Change] = []

  def add(self, logits: jax.Array) -> None:
    """Compares a frame's logits [B, K] with earlier ones."""
    self._last = logits
    if len(self._earlier) == self._earlier.maxlen:
      self._changes.append(_compare()(devices.replicate(()), self._earlier[0], logits))
      # Frames must not pile up on the device while the host runs ahead.
      with clock.waiting():
        jax.block_until_ready(self._changes[-2:][0])
    if not (self._is_noise and self._earlier):
      self._earlier.append(logits)

  def columns(self, examples: slice) -> evaluator.Columns:
    """Of the whole sequence, on the host, without surplus rows."""
    pairs, logits = devices.Batch(examples, (self._changes, self._last)).fetch()
    flips, distances = (np.mean(part, axis=0) for part in zip(*pairs, strict=True))
    prediction = verdict.predict(logits, np)
    return {"prediction": prediction, "flips": flips, "top5_distance": distances}


@functools.cache
def _programs(
  name: str, side: int, size: int, variant: str, difficulty: int, im_round: str, seed: int
) -> tuple[corruptions.Film, Callable[..., Any], Callable[..., Any]]:
  """A sequence, what begins it for a batch of images, and what makes the next frame."""
  film = corruptions.film(
    name, side, side, size=size, variant=variant, difficulty=difficulty, im_round=im_round
  )

  def start(stream: jax.Array, examples: jax.Array, images: jax.Array) -> Any:
    keys = devices.example_keys(seed, stream, examples)
    return jax.vmap(film.start)(keys, attacks.as_float(images))

  def advance(index: jax.Array, state: Any) -> tuple[Any, jax.Array]:
    return jax.vmap(film.frame, (0, None))(state, index)

  return film, devices.shard(start), devices.shard(advance)


@functools.cache
def _logits() -> Callable[..., jax.Array]:
  def classify(classifier: attacks.Classifier, images: jax.Array) -> jax.Array:
    return classifier(images).astype(jnp.float32)

  return devices.shard(classify)


@functools.cache
def _compare() -> Callable[..., changes.Change]:
  def compare(_: tuple[()], before: jax.Array, after: jax.Array) -> changes.Change:
    return jax.vmap(changes.change)(before, after)

  return devices.shard(compare)
