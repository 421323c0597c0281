"""Captions that look for their images, these as they are or all perturbed."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxbench import data, devices, retrieval
from jaxbench.blocks import Block
from jaxbench.config import Member
from jaxbench.evaluate import reading
from jaxbench.evaluate.both_sides import JointSide
from jaxbench.evaluate.galleries import Galleries, Shown
from jaxbench.evaluate.retrieving import ranked
from jaxbench.plan.perturbations import Columns, TextAttack
from jaxbench.plan.perturbations import clean as clean_images
from jaxbench.plan.perturbations.base import Made

_GALLERIES = 4  # That are in memory; others are read again.


class CaptionQueries(JointSide):
  """The models of a set whose captions look for their images."""

  def __init__(self, galleries: Galleries, pairs: data.Pairs, *given: Any):
    super().__init__(galleries, pairs, *given)
    self._gallery = functools.lru_cache(_GALLERIES)(self._load_gallery)
    self._queries = functools.cache(self._load_queries)

  def shape(self, block: Block) -> tuple[int, int]:
    """See `Evaluator.shape`: of the images that are searched."""
    return block.preprocess.size, block.preprocess.size

  def clean(self, members: Sequence[Member], block: Block) -> list[Columns]:
    """Where the images of captions stand; see `Evaluator.clean`."""
    return self.predict(clean_images.program(), None, members, block, "clean")

  def predict(
    self,
    program: Callable[..., Any],
    inputs: Any,
    members: Sequence[Member],
    block: Block,
    name: str = "",
  ) -> list[Columns]:
    """The same among images that all are perturbed; see `Evaluator.predict`."""
    return self._among(self.shown(block.preprocess, name, program, inputs), members, block)

  def among_images(
    self, made: Made, members: Sequence[Member], block: Block, name: str
  ) -> list[Columns]:
    """The same among images that are made otherwise; see `Evaluator.among_images`."""
    return self._among(Shown(block.preprocess, self.named(name), made), members, block)

  def rewritten(self, member: Member, wanted: TextAttack, block: Block, clean: Columns) -> Columns:
    """Where the images of attacked captions stand, among images as they are; see `Evaluator`.

    Attacks without a goal have all captions, also those that do not find their image first.
    """
    loaded, texts = self._model(member.model).tree(), self.worded(member, block)
    gallery = self._gallery(member.model, self.plain(block.preprocess))
    found = reading.attacked(wanted, loaded, texts, gallery.tree().items, block, self.settings.seed)
    queries = reading.embedded(loaded, found.texts, self.slots)
    ranks = ranked(gallery, queries, block.labels)
    same = np.array([one == other for one, other in zip(found.texts, texts, strict=True)])
    ranks = {name: np.where(same, clean[name], each) for name, each in ranks.items()}
    return ranks | reading.columns(found) | {"success": ranks["prediction"] != block.labels}

  def _among(self, shown: Shown, members: Sequence[Member], block: Block) -> list[Columns]:
    names = dict.fromkeys(member.model for member in members)
    # The images are made once for all models.
    self.galleries.fill(self.pairs.source, shown, [self.encoder(name) for name in names])
    return [self._found(member, shown, block) for member in members]

  def _found(self, member: Member, shown: Shown, block: Block) -> Columns:
    gallery = self._gallery(member.model, shown)
    none = np.zeros(len(block.ids), np.int32)
    found = ranked(gallery, self._queries(member)[block.indices], block.labels)
    return found | {"forwards": none + 1, "backwards": none}

  def _load_queries(self, member: Member) -> np.ndarray:
    """float32 [T, D] of all captions, unit rows."""
    _, classifier, _ = self.parts(member)
    return np.asarray(classifier.text).T

  def _load_gallery(self, model: str, shown: Shown) -> devices.Replicated:
    items = self.images(model, shown)
    return devices.replicate(retrieval.Gallery.of(items, range(len(items))))
