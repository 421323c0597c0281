"""Images that look for their captions, these as they are or all attacked.

They go through the classifier of captions as those of any other set do; what is told of them is the
rank of their captions.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import data, devices, models, retrieval
from jaxbench.blocks import Block
from jaxbench.config import Member
from jaxbench.evaluate.both_sides import JointSide
from jaxbench.plan.perturbations import Columns, TextAttack


@struct.dataclass
class _Searcher:
  """What ranks captions for images."""

  classifier: Any  # Images to logits [B, T], one a caption.
  owners: jax.Array  # [T] int32.
  members: jax.Array  # [N, M] int32, the captions of each image.
  tolerance: jax.Array  # [] float32, of equal logits.


class ImageQueries(JointSide):
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
    found = self._found(self._searcher(member), images(), labels)
    return {name: found[name] for name in ("rank", "tied", "margin")}

  def among_texts(self, member: Member, wanted: TextAttack, block: Block) -> Columns:
    """Where the captions of images stand when all captions are attacked; see `Evaluator`."""
    searcher = self._attacked(member, wanted, block.preprocess)
    return self._found(searcher, block.images / np.float32(255), block.labels)

  def _found(self, searcher: devices.Replicated, images: np.ndarray, labels: np.ndarray) -> Columns:
    batches = devices.stream(_find_captions(), searcher, (images, labels), self.slots)
    parts = [vars(batch.fetch()) for batch in batches]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

  @functools.cached_property
  def _attacked(self) -> Callable[..., devices.Replicated]:
    return functools.lru_cache(1)(self._load_attacked)

  def _load_attacked(
    self, member: Member, wanted: TextAttack, preprocess: models.Preprocess
  ) -> devices.Replicated:
    """What ranks attacked captions."""
    text = jnp.asarray(self.attacked_captions(member, wanted, preprocess).T)
    return self._load_searcher(member, text)

  def _load_searcher(self, member: Member, text: jax.Array | None = None) -> devices.Replicated:
    """Of captions, or of others in their places [D, T]."""
    loaded, classifier, _ = self.parts(member)
    if text is not None:
      classifier = dataclasses.replace(classifier, text=text, same_as=None)
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
    found = retrieval.judged(logits, own, searcher.owners, searcher.tolerance)
    scale = searcher.tolerance / retrieval.TOLERANCE  # Of logits.
    return dataclasses.replace(found, margin=found.margin / scale)

  return devices.shard(find)
