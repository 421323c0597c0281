"""Attacked galleries: all of one side of a retrieval set is attacked, and the other looks for it.

With all images attacked no caption can be judged before the last of them; so they are attacked
first, those that find nothing as they are too, and then ranked (SGA, arXiv:2307.14061, and others).
"""

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Iterator

import jax
import numpy as np

from jaxbench import attacks, data, devices
from jaxbench.attacks.engine import verdict
from jaxbench.attacks.parts import norms
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Classifier
from jaxbench.plan.perturbations import adversary
from jaxbench.plan.perturbations.base import Columns, Evaluator, Judged, Passes, Target, everywhere
from jaxbench.plan.perturbations.text_attack import TextAttack
from jaxbench.plan.perturbations.transfer import Transfer

_GALLERY = "gallery"  # In the column `protocol`.


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageGallery(Transfer):
  """Images that a surrogate's attack has made of all, among which captions look for theirs."""

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`."""
    settings, norm = evaluator.settings, self.cascade.attacks[0].norm

    def made(images: Block) -> Iterator[devices.Batch]:
      surrogate = self.prepared(evaluator, targets[0].data, images)
      examples = adversary.attackable(self.stream, self.epsilon, images, settings.seed, surrogate)
      found, _ = self.make(evaluator, surrogate, examples)
      arrays = found, images.images, examples.epsilons
      return devices.dispatch(inside(norm), devices.replicate(()), arrays, evaluator.slots)

    decisive = [self.stream, self.setting, self.hashed(settings)]
    members = [target.member for target in targets]
    columns = evaluator.among_images(made, members, block, json.dumps(decisive, sort_keys=True))
    yield from everywhere(targets, block, [_judged(one, block) for one in columns])


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextGallery(TextAttack):
  """Captions that all are attacked, each among images as they are; images look for theirs."""

  def unfit(self, classifier: Classifier) -> str | None:
    """See `Perturbation`."""
    if classifier.passes is not None:
      return "a defence is of the classifier of captions as they are"
    return super().unfit(classifier)

  def passes(self, model: str) -> Iterator[Passes]:
    """See `Perturbation`."""
    yield Passes(model, 1, 0)
    yield Passes(model, self.forwards - 1, 0, reads=True)

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`."""
    (target,) = targets
    columns = evaluator.among_texts(target.member, self, block)
    yield from everywhere(targets, block, [_judged(columns, block)])


def of_images(attack: Transfer, pairs: data.Pairs) -> ImageGallery:
  """The gallery that an attack makes; a caption bears its share of the passes."""
  share = len(pairs.source) / len(pairs.captions)
  passes = {
    "forwards": 1 + math.ceil(share * (attack.forwards - 1)),
    "backwards": math.ceil(share * attack.backwards),
  }
  return ImageGallery(**vars(attack) | passes)


def of_texts(attack: TextAttack, pairs: data.Pairs) -> TextGallery:
  """The gallery that an attack makes; an image bears its share of the passes."""
  share = len(pairs.captions) / len(pairs.source)
  return TextGallery(**vars(attack) | {"forwards": 1 + math.ceil(share * attack.forwards)})


def _judged(columns: Columns, block: Block) -> Columns:
  none = np.zeros(len(block.ids), np.int32)
  costs = {"forwards": none + 1, "backwards": none, "protocol": [_GALLERY] * len(none)}
  return costs | columns | {"success": columns["prediction"] != block.labels}


@functools.cache
def inside(norm: norms.Norm) -> Callable[..., jax.Array]:
  """A program ((), images, clean images, epsilons) -> the images, clean where they are outside."""

  def kept(
    nothing: tuple[()], images: jax.Array, clean: jax.Array, epsilons: jax.Array
  ) -> jax.Array:
    del nothing
    images, _ = verdict.inside(norm, images, attacks.as_float(clean), epsilons)
    return images

  return devices.shard(kept, network=False)
