"""The two sides of a retrieval set: images that look for captions, captions that look for images.

Images go through the classifier of captions as those of any other set do; what is told of them is
the rank of their captions. Captions are compared with a gallery of all images, as they are or all
perturbed.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import config, data, devices, models, retrieval
from jaxbench.blocks import Block
from jaxbench.config import Member
from jaxbench.evaluate import reading
from jaxbench.evaluate.evaluator import Evaluator
from jaxbench.evaluate.galleries import Galleries, Shown
from jaxbench.plan import defending
from jaxbench.plan.perturbations import Columns, TextAttack
from jaxbench.plan.perturbations import clean as clean_images

_GALLERIES = 4  # That are in memory; others are read again.


@struct.dataclass
class _Searcher:
  """What ranks captions for images."""

  classifier: Any  # Images to logits [B, T], one a caption.
  owners: jax.Array  # [T] int32.
  members: jax.Array  # [N, M] int32, the captions of each image.
  tolerance: jax.Array  # [] float32, of equal logits.


class ImageQueries(Evaluator):
  """The classifiers of a set whose images look for their captions."""

  @functools.cached_property
  def _searcher(self) -> Callable[[Member], devices.Replicated]:
    return functools.cache(self._load_searcher)

  def judge(
    self, member: Member, images: jax.Array, labels: jax.Array, hashes: jax.Array
  ) -> retrieval.Ranks:
    """Where the captions of images stand; see `Evaluator.judge`."""
    del hashes
    return _find_captions()(self._searcher(member), images, labels)

  def ranks(self, member: Member, images: Callable[[], np.ndarray], labels: np.ndarray) -> Columns:
    """Where captions of perturbed images stand; see `Evaluator.ranks`."""
    arrays = images(), labels
    batches = devices.stream(_find_captions(), self._searcher(member), arrays, self.slots)
    parts = [vars(batch.fetch()) for batch in batches]
    return {name: np.concatenate([part[name] for part in parts]) for name in ("rank", "tied")}

  def _load_searcher(self, member: Member) -> devices.Replicated:
    loaded, classifier, _ = self.parts(member)
    assert isinstance(self.label_space, data.CaptionSpace)
    owners = np.array(self.label_space.owners, np.int32)
    members = retrieval.members(owners)
    tolerance = jnp.float32(retrieval.TOLERANCE) * loaded.logit_scale
    whole = models.resized(classifier, loaded.preprocess.size)
    return devices.replicate(_Searcher(whole, jnp.asarray(owners), jnp.asarray(members), tolerance))


@functools.cache
def _find_captions() -> Callable[..., retrieval.Ranks]:
  """A sharded program (`_Searcher`, images, labels) -> `Ranks` among captions."""

  def find(searcher: _Searcher, images: jax.Array, labels: jax.Array) -> retrieval.Ranks:
    logits = searcher.classifier(images).astype(jnp.float32)
    own = searcher.members[labels]
    return retrieval.judged(logits, own, searcher.owners, searcher.tolerance)

  return devices.shard(find)


class CaptionQueries(Evaluator):
  """The models of a set whose captions look for their images.

  Args:
    galleries: of the run.
    source: the captions.
    given: the other arguments of `Evaluator`.
  """

  def __init__(self, galleries: Galleries, source: data.Captions, *given: Any):
    super().__init__(*given)
    self._galleries, self._source = galleries, source
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
    shown = Shown(block.preprocess, self._name(name), program, inputs)
    return [self._found(member, shown, block) for member in members]

  def rewritten(self, member: Member, wanted: TextAttack, block: Block, clean: Columns) -> Columns:
    """Where the images of attacked captions stand, among images as they are; see `Evaluator`.

    Attacks without a goal have all captions, also those that do not find their image first.
    """
    loaded, texts = self._model(member.model).tree(), self._worded(member, block)
    plain = Shown(block.preprocess, self._name("clean"), clean_images.program(), None)
    gallery = self._gallery(member.model, plain)
    found = reading.attacked(wanted, loaded, texts, gallery.tree().items, block, self.settings.seed)
    queries = reading.embedded(loaded, found.texts, self.slots)
    ranks = _ranked(gallery, queries, block.labels)
    same = np.array([one == other for one, other in zip(found.texts, texts, strict=True)])
    ranks = {name: np.where(same, clean[name], each) for name, each in ranks.items()}
    success = ranks["prediction"] != block.labels
    return ranks | reading.columns(found) | {"success": success, "protocol": ["query"] * len(texts)}

  def _worded(self, member: Member, block: Block) -> list[str]:
    """The captions of a block as a model reads them."""
    assert isinstance(self.label_space, data.CaptionSpace)
    captions = self.label_space.worded(str(member.prompts))
    return [captions[index] for index in block.indices]

  def _found(self, member: Member, shown: Shown, block: Block) -> Columns:
    gallery = self._gallery(member.model, shown)
    none = np.zeros(len(block.ids), np.int32)
    found = _ranked(gallery, self._queries(member)[block.indices], block.labels)
    return found | {"forwards": none + 1, "backwards": none}

  def _name(self, what: str) -> str:
    """Of what is done to all images."""
    return f"{what}, seed {self.settings.seed}"

  def _load_queries(self, member: Member) -> np.ndarray:
    """float32 [T, D] of all captions, unit rows."""
    _, classifier, _ = self.parts(member)
    return np.asarray(classifier.text).T

  def _load_gallery(self, model: str, shown: Shown) -> devices.Replicated:
    encoder = self.classifier(Member(model, config.EMBEDDING))
    images = self._source.pairs.source
    known = models.describe(defending.base(model))
    weights = f"{known.sha256} {models.told(known.config)}"
    items = self._galleries.embeddings(images, shown, encoder, weights, self.slots)
    return devices.replicate(retrieval.Gallery.of(items, range(len(images))))


def _ranked(gallery: devices.Replicated, queries: np.ndarray, labels: np.ndarray) -> Columns:
  """Where the items of queries stand: unit rows [B, D], whose labels are [B]."""
  batches = devices.stream(retrieval.find(), gallery, (queries, labels), retrieval.ROWS)
  parts = [vars(batch.fetch()) for batch in batches]
  return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
