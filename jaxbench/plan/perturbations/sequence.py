"""A sequence of frames: each of a batch made once, classified by all, compared, forgotten."""

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import attacks, config, corruptions, data, devices
from jaxbench.attacks.engine import verdict
from jaxbench.blocks import Block, pictures
from jaxbench.plan.classifiers import Absent
from jaxbench.plan.perturbations import base, changes
from jaxbench.plan.perturbations.base import Columns, Evaluator, Judged, Perturbation, Target
from jaxbench.records import kinds
from jaxbench.telemetry import clock


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sequence(Perturbation):
  """One of ImageNet-P's."""

  kind: ClassVar[str] = kinds.SEQUENCE
  field: ClassVar[str] = "corruptions.sequences"

  classes: bool = True
  name: str
  variant: str  # These are explained in `config.Corruptions`.
  im_round: str
  difficulty: int

  @classmethod
  def of(cls, name: str, options: config.Corruptions) -> "Sequence":
    """As a config asks for it.

    Raises:
      InputError: the name is unknown.
    """
    chosen: dict[str, Any] = {"variant": options.variant, "difficulty": options.difficulty}
    film = corruptions.film(name, 32, 32, im_round=options.im_round, **chosen)
    if film.im_rounded:
      chosen["im_round"] = options.im_round
    harder = f", difficulty={options.difficulty}" if options.difficulty > 1 else ""
    constants_text = ", ".join(f"{key}={value!r}" for key, value in chosen.items())
    return cls(
      text=f"sequence({name}{harder})",
      stream=f"sequence({name}, {constants_text})",
      forwards=film.length,
      moves=film.moves,
      name=name,
      variant=options.variant,
      im_round=options.im_round,
      difficulty=options.difficulty,
    )

  @property
  def described(self) -> dict[str, Any]:
    """See `Perturbation`."""
    return {"sequence": self.name}

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`.

    On the device there are never all frames of an image: one or two batches of frames, what the
    next frame follows from, and logits.
    """
    shape = block.images.shape[1], targets[0].size
    constants = self.variant, self.difficulty, self.im_round
    film, start, advance = _programs(self.name, *shape, *constants, evaluator.settings.seed)
    indices = [devices.replicate(jnp.int32(index)) for index in range(film.length)]
    stream = devices.replicate(data.hash_id(self.stream))
    arrays, step = (block.hashes, block.images), 1 if film.is_noise else self.difficulty
    classifiers = [evaluator.classifier(target.member) for target in targets]

    def shown() -> Iterator[tuple[devices.Batch, list[_Compared]]]:
      """The last frames of a batch, and what was said of all of them."""
      for batch in devices.dispatch(start, stream, arrays, evaluator.slots):
        compared, state = [_Compared(step, film.is_noise) for _ in targets], batch.result
        for index in indices:
          state, images = advance(index, state)
          for classifier, frames in zip(classifiers, compared, strict=True):
            frames.add(_logits()(classifier, images))
        yield devices.Batch(batch.examples, images), compared

    parts: list[list[Columns]] = [[] for _ in targets]
    kept: list[bytes | None] = []
    for last, compared in devices.late(shown()):
      for part, frames in zip(parts, compared, strict=True):
        part.append(frames.columns(last.examples))
      rows = np.arange(last.examples.start, last.examples.stop)
      kept += pictures.keep(rows, block, functools.partial(pictures.fetch_batch, last))
    none = np.zeros(len(block.ids), np.int32)
    shared = {"forwards": none + film.length, "backwards": none, "picture": kept}
    columns = [
      {name: np.concatenate([batch[name] for batch in part]) for name in part[0]} | shared
      for part in parts
    ]
    yield from base.everywhere(targets, block, columns)


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Sequence]:
  """All that a config asks for."""
  del absent
  for name in settings.corruptions.sequences:
    yield Sequence.of(name, settings.corruptions)


class _Compared:
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

  def columns(self, examples: slice) -> Columns:
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

  shard = functools.partial(devices.shard, network=False)
  return film, shard(start), shard(advance)


@functools.cache
def _logits() -> Callable[..., jax.Array]:
  def classify(classifier: attacks.Classifier, images: jax.Array) -> jax.Array:
    return classifier(images).astype(jnp.float32)

  return devices.shard(classify)


@functools.cache
def _compare() -> Callable[..., changes.Change]:
  def compare(_: tuple[()], before: jax.Array, after: jax.Array) -> changes.Change:
    return jax.vmap(changes.change)(before, after)

  return devices.shard(compare, network=False)
