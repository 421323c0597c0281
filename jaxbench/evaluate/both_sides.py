"""Attacks on images and captions together: what one model makes of both, and how others rank it."""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxbench import config, data, devices, models, retrieval
from jaxbench.blocks import Block
from jaxbench.config import Member
from jaxbench.evaluate import reading
from jaxbench.evaluate.galleries import Encoder, Shown
from jaxbench.evaluate.retrieving import Side, as_given, ranked, weights
from jaxbench.plan.perturbations import Columns, Joint

_ATTACKS = 4  # Whose arrays are in memory; those of others are read again.


class _Ranked(NamedTuple):
  """One side as a model embeds it."""

  items: np.ndarray  # float32 [N, D], unit rows.
  found: devices.Replicated  # The same as a gallery.

  @classmethod
  def of(cls, items: np.ndarray, owners: Sequence[int]) -> "_Ranked":
    return cls(items, devices.replicate(retrieval.Gallery.of(items, owners)))


class JointSide(Side):
  """The models of a side that may be attacked together with the other one."""

  def jointly(self, wanted: Joint, members: Sequence[Member], block: Block) -> list[Columns]:
    """See `Evaluator.jointly`."""
    return list(self._both(wanted, block.preprocess).columns(members, block))

  @functools.cached_property
  def _both(self) -> Callable[[Joint, models.Preprocess], "BothSides"]:
    return functools.lru_cache(_ATTACKS)(functools.partial(BothSides, self))


class BothSides:
  """One attack on a set, as far as it has come. All of it is kept beside the run.

  Args:
    side: has the models and galleries; both sides of a set give the same.
    wanted: the attack.
    preprocess: of the images that are attacked.
  """

  def __init__(self, side: Side, wanted: Joint, preprocess: models.Preprocess):
    self._side, self._wanted, self._preprocess = side, wanted, preprocess
    self._model = side.loaded(wanted.source)
    self._weights = weights(wanted.source.model)

  def columns(self, members: Sequence[Member], block: Block) -> Iterator[Columns]:
    """Where the images or the captions of a block stand among the others, by each model."""
    side, captions = self._side, isinstance(block.source, data.Captions)
    encoders = [side.encoder(name) for name in dict.fromkeys(each.model for each in members)]
    side.galleries.fill(side.pairs.source, self._attacked, encoders)  # Made once for all models.
    told: Columns = {}
    if captions:
      text, *counts = self._written[block.indices].T
      told = {"text": text, "edits": counts[0].astype(np.int32)}
      told |= {"candidates": counts[1].astype(np.int32)}
    for member in members:
      images, texts = self._ranked(member)
      queries, gallery = (texts, images) if captions else (images, texts)
      yield ranked(gallery.found, queries.items[block.indices], block.labels) | told

  @functools.cached_property
  def _ranked(self) -> Callable[[Member], tuple[_Ranked, _Ranked]]:
    return functools.lru_cache(2)(self._embedded)

  def _embedded(self, member: Member) -> tuple[_Ranked, _Ranked]:
    """Attacked images, and attacked captions."""
    images = self._side.images(member.model, self._attacked)
    texts = self._read(self._written[:, 0], self._stage(last=True), member)
    owners = self._side.pairs.owners
    return _Ranked.of(images, range(len(images))), _Ranked.of(texts, owners)

  @functools.cached_property
  def _attacked(self) -> Shown:
    """Images against captions that were attacked as they were."""
    return Shown(self._preprocess, self._name(images=True), self._made)

  def _made(self, block: Block) -> Iterator[devices.Batch]:
    return self._wanted.attacked(self._side, self._guide, block)

  @functools.cached_property
  def _guide(self) -> devices.Replicated:
    side, source = self._side, self._wanted.source
    encoder = side.surrogate((Member(source.model, config.EMBEDDING),)).tree()
    texts = self._read(self._first[:, 0], self._stage(last=False), source)
    owners = np.array(side.pairs.owners)
    return devices.replicate(self._wanted.method.guide(encoder, self._clean, texts, owners))

  @functools.cached_property
  def _clean(self) -> np.ndarray:
    """float32 [N, D] of the images as they are, unit rows."""
    return self._side.images(self._wanted.source.model, self._side.plain(self._preprocess))

  @functools.cached_property
  def _first(self) -> np.ndarray:
    """Strings [T, 3] of what became of captions beside the images as they are."""
    return self._texts(last=False)

  @functools.cached_property
  def _written(self) -> np.ndarray:
    """Strings [T, 3] of what became of captions in the end."""
    return self._texts(last=True) if self._wanted.method.again else self._first

  def _texts(self, *, last: bool) -> np.ndarray:
    side = self._side
    write = functools.partial(self._rewritten, last=last)
    return side.galleries.texts(
      data.Captions(side.pairs), self._preprocess, self._stage(last=last), self._weights, write
    )

  def _rewritten(self, block: Block, *, last: bool) -> np.ndarray:
    side, wanted = self._side, self._wanted
    texts = side.worded(wanted.source, block)
    if wanted.texts is None:
      return np.array([[text, "0", "0"] for text in texts])
    anchors = side.images(wanted.source.model, self._attacked) if last else self._clean
    seed = side.settings.seed
    found = reading.attacked(wanted.texts, self._model, texts, anchors, block, seed)
    columns = found.texts, found.edits.astype(str), found.candidates.astype(str)
    return np.stack([np.array(column) for column in columns], axis=1)

  def _read(self, texts: np.ndarray, stage: str, member: Member) -> np.ndarray:
    """float32 [T, D] of all texts as a model embeds them, unit rows."""
    side, loaded = self._side, self._side.loaded(member)

    def made(block: Block) -> Iterator[devices.Batch]:
      tokens = loaded.tokenize([str(texts[index]) for index in block.indices])
      return devices.dispatch(as_given(), devices.replicate(()), (tokens,), side.slots)

    shown = Shown(self._preprocess, f"{stage}, made on {self._weights}", made)
    encoder = Encoder(devices.replicate(loaded.text), weights(member.model))
    return side.galleries.embeddings(data.Captions(side.pairs), shown, encoder)

  def _stage(self, *, last: bool) -> str:
    """The name of what is done to captions; at first no epsilon matters."""
    return self._name(images=last and self._wanted.method.again)

  def _name(self, *, images: bool) -> str:
    wanted, settings = self._wanted, self._side.settings
    texts = "as they are" if wanted.texts is None else wanted.texts.stream
    decisive: list[Any] = [texts, wanted.source.prompts]
    if images:
      decisive += [wanted.stream, wanted.setting, wanted.hashed(settings)]
    return self._side.named(f"both sides: {json.dumps(decisive, sort_keys=True)}")
