"""What the two sides of a retrieval set share: galleries of images and of captions."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxbench import config, data, devices, models, retrieval
from jaxbench.blocks import Block
from jaxbench.config import Member
from jaxbench.evaluate import reading
from jaxbench.evaluate.evaluator import Evaluator
from jaxbench.evaluate.galleries import Encoder, Galleries, Shown
from jaxbench.plan import defending
from jaxbench.plan.perturbations import Columns, TextAttack, clean


class Side(Evaluator):
  """The models of one side.

  Args:
    galleries: of the run.
    pairs: images with captions.
    given: the other arguments of `Evaluator`.
  """

  def __init__(self, galleries: Galleries, pairs: data.Pairs, *given: Any):
    super().__init__(*given)
    self.galleries, self.pairs = galleries, pairs

  def loaded(self, member: Member) -> Any:
    """A model without its defences."""
    return self._model(member.model).tree()

  def images(self, model: str, shown: Shown) -> np.ndarray:
    """float32 [N, D] of all images, unit rows."""
    return self.galleries.embeddings(self.pairs.source, shown, self.encoder(model))

  def encoder(self, model: str) -> Encoder:
    """What embeds images."""
    return Encoder(self.classifier(Member(model, config.EMBEDDING)), weights(model))

  def plain(self, preprocess: models.Preprocess) -> Shown:
    """Images as they are."""
    return self.shown(preprocess, "clean", clean.program(), None)

  def shown(
    self, preprocess: models.Preprocess, name: str, program: Callable[..., Any], inputs: Any
  ) -> Shown:
    """Images as a program makes them; see `Evaluator.predict`."""
    everywhere = devices.replicate(inputs)

    def made(block: Block) -> Any:
      arrays = block.hashes, block.images
      return devices.dispatch(program, everywhere, arrays, self.slots)

    return Shown(preprocess, self.named(name), made)

  def named(self, what: str) -> str:
    """Of what is done to all items."""
    return f"{what}, seed {self.settings.seed}"

  def worded(self, member: Member, block: Block) -> list[str]:
    """The captions of a block of captions as a model reads them."""
    captions = self.pairs.space.worded(str(member.prompts))
    return [captions[index] for index in block.indices]

  def attacked_captions(
    self, member: Member, wanted: TextAttack, preprocess: models.Preprocess
  ) -> np.ndarray:
    """float32 [T, D] of all captions, each attacked among images as they are; unit rows."""
    loaded = self.loaded(member)

    def made(block: Block) -> Any:
      anchors = self._anchors(member.model, self.plain(preprocess))
      texts = self.worded(member, block)
      found = reading.attacked(wanted, loaded, texts, anchors, block, self.settings.seed)
      tokens = loaded.tokenize(found.texts)
      return devices.dispatch(as_given(), devices.replicate(()), (tokens,), self.slots)

    shown = Shown(preprocess, self.named(f"{wanted.stream} of {member.prompts}"), made)
    encoder = Encoder(devices.replicate(loaded.text), weights(member.model))
    return self.galleries.embeddings(data.Captions(self.pairs), shown, encoder)

  @functools.cached_property
  def _anchors(self) -> Callable[[str, Shown], np.ndarray]:
    return functools.lru_cache(1)(self.images)


def ranked(gallery: devices.Replicated, queries: np.ndarray, labels: np.ndarray) -> Columns:
  """Where the items of queries stand.

  Args:
    gallery: a `retrieval.Gallery`.
    queries: float32 [B, D], unit rows.
    labels: int32 [B], whose each is.
  """
  batches = devices.stream(retrieval.find(), gallery, (queries, labels), retrieval.ROWS)
  parts = [vars(batch.fetch()) for batch in batches]
  return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def weights(model: str) -> str:
  """A hash of what decides a model's embeddings, in words."""
  known = models.describe(defending.base(model))
  return f"{known.sha256} {models.told(known.config)}"


@functools.cache
def as_given() -> Callable[..., jax.Array]:
  """A sharded program ((), tokens [B, T]) -> the tokens, on the devices."""
  return devices.shard(lambda _, tokens: tokens, network=False)
