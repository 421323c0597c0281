"""Images of a data set embedded once, as they are and perturbed, to search prompts on."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from jaxbench import attacks, blocks, config, data, devices, errors, models, seats, spec
from jaxbench.attacks.engine import batching, verdict, view
from jaxbench.models.parts.layers import normalize
from jaxbench.plan.perturbations import Corruption, adversary

_BLOCK = 1024  # Images in memory at a time.


Perturb = Callable[[blocks.Block], np.ndarray]  # -> images [N, H, W, 3], float32 or uint8.


class Features(NamedTuple):
  """M = N images times (1 + perturbations) rows."""

  features: np.ndarray  # [M, D] float32, unit rows.
  labels: np.ndarray  # [M] int32.


def embed(
  classifier: models.ZeroShot,
  preprocess: models.Preprocess,
  source: data.Source,
  indices: list[int],
  asked: config.PromptSearch,
) -> Features:
  """The features that `asked` wants to search on.

  Args:
    classifier: whose image tower embeds, and which attacks are made on.
    preprocess: of the model.
    source: of the images.
    indices: of those that are used.
    asked: the settings.

  Raises:
    InputError: an image cannot be read, or a corruption or attack is unknown.
  """
  attacked, encoder = devices.replicate(classifier), devices.replicate(classifier.visual)
  asked = dataclasses.replace(asked, slots=seats.even(min(len(indices), _BLOCK), asked.slots))
  parts = [indices[start : start + _BLOCK] for start in range(0, len(indices), _BLOCK)]
  perturbations = [lambda block: block.images, *_corruptions(asked), *_attacks(asked, attacked)]
  found = []
  for block, lost in blocks.stream(source, parts, preprocess, [0] * len(parts), workers=0):
    if lost.errors:
      raise errors.InputError(f"{lost.errors[0]}; leave it out with --config.subset")
    for perturb in perturbations:
      batches = devices.stream(_encode(), encoder, (perturb(block),), asked.slots)
      found.append(Features(np.concatenate([batch.fetch() for batch in batches]), block.labels))
  return Features(*map(np.concatenate, zip(*found, strict=True)))


@functools.cache
def _encode() -> Callable[..., jax.Array]:
  return devices.shard(lambda visual, images: normalize(visual(attacks.as_float(images))))


def _corruptions(asked: config.PromptSearch) -> Iterator[Perturb]:
  for name, severity in itertools.product(asked.corruptions, asked.severities):
    corruption = Corruption.of(name, severity, config.Corruptions())
    yield functools.partial(_corrupt, corruption, asked)


def _corrupt(corruption: Corruption, asked: config.PromptSearch, block: blocks.Block) -> np.ndarray:
  program = corruption.program(asked.seed)
  inputs = devices.replicate(corruption.inputs(block.images.shape[1:3]))
  batches = devices.stream(program, inputs, (block.hashes, block.images), asked.slots)
  return np.concatenate([batch.fetch() for batch in batches])


def _attacks(asked: config.PromptSearch, classifier: devices.Replicated) -> Iterator[Perturb]:
  for text, epsilon in itertools.product(asked.attacks, asked.epsilons):
    resolved = spec.resolve(text, attacks.ATTACKS, "attack")
    cascade = attacks.cascade(spec.build(resolved))
    yield functools.partial(_attack, resolved.full, cascade, epsilon, classifier, asked)


def _attack(
  name: str,
  cascade: attacks.Cascade,
  epsilon: float,
  classifier: devices.Replicated,
  asked: config.PromptSearch,
  block: blocks.Block,
) -> np.ndarray:
  """What the classifier has wrong stays as it is."""
  images = block.images.astype(np.float32) / np.float32(255)
  logits = verdict.logits(classifier, block.images, asked.slots)
  right = np.flatnonzero(verdict.predict(logits, np) == block.labels)
  searcher = devices.replicate(view.distinct(classifier.tree()))
  everything = adversary.attackable(name, epsilon, block, asked.seed, searcher)
  examples = everything.some(right)
  settings = batching.Settings(asked.slots)
  for found in batching.attack(
    cascade, classifier, [searcher], examples, settings, batching.Tally()
  ):
    images[right[found.rows]] = found.fetch("image")
  return images
