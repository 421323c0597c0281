"""One perturbation, learnt beforehand, on every image."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import attacks, config, data, devices, errors, models, spec
from jaxbench.attacks.parts import norms
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Absent, Classifier, Surrogate
from jaxbench.plan.perturbations.base import (
  Columns,
  Evaluator,
  Judged,
  Perturbation,
  Target,
  everywhere,
)
from jaxbench.records import directions, kinds, wording
from jaxbench.universal import Universal as Learnt
from jaxbench.universal import apply, files

_KNOWLEDGE = "nothing of the model: one perturbation, learnt beforehand, for all images"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Universal(Perturbation):
  """At its own size, which models resize inside; in one radius, if it has one."""

  kind: ClassVar[str] = kinds.UNIVERSAL
  field: ClassVar[str] = "universal.paths"

  learnt: Learnt
  epsilon: float | None
  knowledge: str | None = _KNOWLEDGE
  one_label: bool = True
  classes: bool = True

  @property
  def setting(self) -> str:
    """The epsilon, or ""."""
    return "" if self.epsilon is None else wording.format_epsilon(self.epsilon)

  @property
  def columns(self) -> dict[str, Any]:
    """See `Perturbation`."""
    return {"epsilon": self.epsilon}

  @property
  def described(self) -> dict[str, Any]:
    """See `Perturbation`."""
    return {"norm": None if self.epsilon is None else self.learnt.norm}

  def hashed(self, settings: config.Config) -> dict[str, Any]:
    """See `Perturbation`."""
    del settings
    return {"epsilon": self.epsilon}

  def check(self, source: data.Source, indices: Sequence[int]) -> None:
    """See `Perturbation`."""
    files.refuse_learnt(self.learnt, source, [source.ids[index] for index in indices])

  def seen_by(self, classifier: Classifier) -> Classifier | Surrogate:
    """The classifier, its images of the size that the perturbation was learnt for."""
    return dataclasses.replace(classifier, preprocess=_at(classifier.preprocess, self.learnt.side))

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`; it leaves its radius."""
    inputs = self.learnt.delta, self.learnt.mask, np.float32(self.epsilon or 0)
    program = _program(self.learnt, self.epsilon is not None)
    members = [target.member for target in targets]
    name = f"{self.stream} {self.setting}"
    shared: Columns = {}
    if self.epsilon is not None and block.source.direction != directions.TEXT_TO_IMAGE:
      shared = self._distance(evaluator, block, self.epsilon)
    columns = [
      shared | _judged(one, block)
      for one in evaluator.predict(program, inputs, members, block, name)
    ]
    yield from everywhere(targets, block, columns)

  def _distance(self, evaluator: Evaluator, block: Block, epsilon: float) -> Columns:
    """How far images have moved, which is at most epsilon; raises InputError where it is more."""
    inputs = devices.replicate((self.learnt.delta, self.learnt.mask, np.float32(epsilon)))
    batches = devices.stream(_measure(self.learnt), inputs, (block.images,), evaluator.slots)
    distance = np.concatenate([batch.fetch() for batch in batches])
    if (distance > epsilon + 1e-6).any():
      raise errors.InputError(f"{self.text} leaves its radius {self.setting}")
    return {"distance": np.minimum(distance, np.float32(epsilon))}


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Universal]:
  """All that a config asks for: each at every epsilon, or once where it has no radius."""
  for place in settings.universal.paths:
    try:
      learnt = files.load(place, download=settings.download)
    except errors.InputError as error:
      if not settings.available:
        raise
      absent.append(Absent(place, str(error)))
      continue
    name = _name(place, settings.universal.paths)
    digest = files.digest(place, download=settings.download)
    for epsilon in (None,) if learnt.epsilon is None else settings.attacks.epsilons:
      yield Universal(
        text=f"universal({name})",
        stream=spec.write("universal", {"sha256": digest, "side": learnt.side}),
        learnt=learnt,
        epsilon=epsilon,
      )


def _name(place: str, places: Sequence[str]) -> str:
  """The end of a path, as much of it as no other has."""
  whole = pathlib.PurePath(place).parts
  others = [pathlib.PurePath(other).parts for other in places if other != place]
  counts = range(1, len(whole) + 1)
  own = (whole[-n:] for n in counts if all(other[-n:] != whole[-n:] for other in others))
  return "/".join(next(own, whole))


def _judged(columns: Columns, block: Block) -> Columns:
  """As rows of attacks have them: with success, and with ranks of captions alone."""
  left_out = () if "tied" in columns else ("rank", "confidence")
  kept = {name: column for name, column in columns.items() if name not in left_out}
  return kept | {"success": columns["prediction"] != block.labels}


def _at(usual: models.Preprocess, side: int) -> models.Preprocess:
  """The same cut, of another size."""
  if usual.size == side:
    return usual
  resize = None if usual.resize is None else max(side, round(usual.resize * side / usual.size))
  return dataclasses.replace(usual, size=side, resize=resize)


@functools.cache
def _program(learnt: Learnt, bounded: bool) -> Callable[..., jax.Array]:
  """A sharded program ((delta, mask, epsilon), anything [N, ...], images) -> perturbed images."""

  def perturbed(inputs: Any, examples: jax.Array, images: jax.Array) -> Any:
    del examples
    return _shown(learnt, bounded, inputs, images)

  return devices.shard(perturbed, network=False)


@functools.cache
def _measure(learnt: Learnt) -> Callable[..., jax.Array]:
  """A sharded program ((delta, mask, epsilon), images) -> distances [N] of linf."""

  def measured(inputs: Any, images: jax.Array) -> Any:
    change = _shown(learnt, True, inputs, images) - attacks.as_float(images)
    return jax.vmap(norms.get(learnt.norm).size)(change)

  return devices.shard(measured, network=False)


def _shown(learnt: Learnt, bounded: bool, inputs: Any, images: jax.Array) -> jax.Array:
  delta, mask, epsilon = inputs
  whole = dataclasses.replace(
    learnt, delta=delta, mask=mask
  )  # Arguments, and no constants in the program.
  return apply(whole, attacks.as_float(images), epsilon if bounded else None).astype(jnp.float32)
