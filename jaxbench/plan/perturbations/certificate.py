"""Certified radii of a model within randomised smoothing: images are as they are, under noise."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import jax
import numpy as np

from jaxbench import attacks, config, defences, devices, errors, spec, threefry
from jaxbench.attacks.engine import evaluations
from jaxbench.blocks import Block
from jaxbench.plan import defending
from jaxbench.plan.classifiers import Absent, Classifier
from jaxbench.plan.perturbations import adversary
from jaxbench.plan.perturbations.base import Evaluator, Judged, Passes, Perturbation, Target
from jaxbench.records import kinds

_FACTORIES = {"certify": defences.certificate}
_ONLY = "certificates are of smoothing: put smooth(...) outermost, as in model|smooth(sigma=0.25)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certificate(Perturbation):
  """The class under noise, and how far around the image it holds."""

  kind: ClassVar[str] = kinds.CERTIFIED
  field: ClassVar[str] = "certificates"

  asked: defences.Certificate
  shares_images: bool = False
  one_label: bool = True

  def unfit(self, classifier: Classifier) -> str | None:
    """See `Perturbation`."""
    outer = defending.named(classifier.model).defences[-1:]
    return None if outer and outer[0].call is defences.smooth else _ONLY

  def passes(self, model: str) -> Iterator[Passes]:
    """See `Perturbation`: of what is smoothed, one for each sample."""
    yield Passes(model.rpartition("|")[0], self.forwards, 0)

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`."""
    (target,) = targets
    rows = np.flatnonzero(target.lacking)
    some, classifier = block.at(rows), evaluator.classifier(target.member)
    sigma = _smoothed(classifier.tree(), some.images.shape[1]).sigma
    words = adversary.example_words(self.stream, some, evaluator.settings.seed)
    votes = []
    for part, samples in enumerate((self.asked.selection, self.asked.samples)):
      arrays = some.images, words
      batches = devices.stream(_program(part, samples), classifier, arrays, evaluator.slots)
      votes.append(np.concatenate([batch.fetch() for batch in batches]))
    found = defences.certified(self.asked, sigma, *votes)
    count = np.full(len(rows), self.forwards, np.int32)
    columns = {
      "prediction": found.prediction,
      "radius": found.radius.astype(np.float32),
      "forwards": count,
      "backwards": np.zeros_like(count),
    }
    yield target, rows, columns


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Certificate]:
  """All that a config asks for.

  Raises:
    InputError: a spec is none, or a number is out of range.
  """
  del absent
  for text in settings.certificates:
    resolved = spec.resolve(text, _FACTORIES, "certificate")
    asked = spec.build(resolved)
    forwards = asked.selection + asked.samples
    yield Certificate(text=resolved.text, stream=resolved.full, forwards=forwards, asked=asked)


def _smoothed(classifier: Any, side: int) -> defences.Smooth:
  """What a classifier as an evaluator has it smooths, of images of so many pixels.

  Raises:
    InputError: its images are enlarged before the noise, or its classes joined after the votes.
  """
  whole = evaluations.single(classifier)  # It takes images of any size.
  if whole.size != side:
    raise errors.InputError(f"images of {side} pixels are enlarged before the noise: no radius")
  if not isinstance(whole.classifier, defences.Smooth):
    raise errors.InputError("the votes of its classes are joined after the smoothing: no radius")
  return whole.classifier


@functools.cache
def _program(part: int, samples: int) -> Callable[..., jax.Array]:
  """A sharded program (classifier, images [B, H, W, 3], words [B, 2]) -> votes int32 [B, K]."""

  def program(classifier: Any, images: jax.Array, words: jax.Array) -> jax.Array:
    smoothed = _smoothed(classifier, images.shape[1])
    keys = jax.vmap(jax.random.fold_in, (0, None))(threefry.wrap(words), part)
    return defences.votes(smoothed, attacks.as_float(images), keys, samples)

  return devices.shard(program)
