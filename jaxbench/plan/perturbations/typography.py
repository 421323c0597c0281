"""Words on the images."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np

from jaxbench import config, data, spec, typography
from jaxbench.attacks.engine import verdict
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Absent
from jaxbench.plan.perturbations import clean
from jaxbench.plan.perturbations.base import Evaluator, Judged, Perturbation, Target, everywhere
from jaxbench.records import kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Typography(Perturbation):
  """A typographic attack."""

  kind: ClassVar[str] = kinds.TYPOGRAPHY
  field: ClassVar[str] = "typography"

  named: bool = True
  overlay: typography.Overlay = dataclasses.field(hash=False)  # Spellings are no key.

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`; words cannot be chosen or written."""
    logits, seed = None, evaluator.settings.seed
    if not self.shares_images:
      classifier = evaluator.classifier(targets[0].member)
      logits = verdict.logits(classifier, block.images, evaluator.slots)
    written, words = write(block, self.overlay, seed, logits)
    members = [target.member for target in targets]
    columns = evaluator.predict(clean.program(), None, members, written)
    yield from everywhere(targets, block, [one | {"target": words} for one in columns])


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Typography]:
  """All that a config asks for."""
  del absent
  for text in settings.typography:
    resolved = spec.resolve(text, typography.OVERLAYS, "typographic attack")
    overlay = spec.build(resolved)
    yield Typography(
      text=resolved.text,
      stream=resolved.full,
      knowledge=overlay.knowledge,
      shares_images=overlay.words.target == "random",
      overlay=overlay,
    )


def write(
  block: Block, overlay: typography.Overlay, seed: int, logits: np.ndarray | None
) -> tuple[Block, np.ndarray]:
  """The block with a word on each image, and the classes [N] int32 whose names they are.

  Args:
    block: of clean images.
    overlay: which words, and how they are written.
    seed: of the run.
    logits: [N, K] of the clean images, for words that depend on them.

  Raises:
    InputError: the data set has no such classes, or an image has no room for a word.
  """
  names = block.source.class_names
  if not overlay.original:
    images, targets = typography.attack(
      overlay, block.images, block.ids, block.labels, names, seed=seed, logits=logits
    )
    return dataclasses.replace(block, images=images), targets
  targets = overlay.words.choose(block.ids, block.labels, names, seed=seed, logits=logits)
  words = {
    index: overlay.words.text(names[target])
    for index, target in zip(block.indices.tolist(), targets, strict=True)
  }
  ids = block.source.ids
  written = _Edited(
    block.source, lambda index, image: overlay.write(image, words[index], ids[index], seed)
  )
  images, _ = data.load_images(written, block.indices.tolist(), block.preprocess)
  return dataclasses.replace(block, images=images), targets


class _Edited(data.Wrapper):
  """A source whose images are changed before any preprocessing."""

  def __init__(self, source: data.Source, edit: Callable[[int, np.ndarray], np.ndarray]):
    super().__init__(source)
    self._edit = edit

  def __getitem__(self, index: int) -> data.Example:
    example = self.source[index]
    return example._replace(image=self._edit(index, example.image))
