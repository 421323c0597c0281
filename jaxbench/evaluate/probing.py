"""Probes of composition: each image with a few sentences, of which a model should prefer one."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import attacks, data, devices, models, retrieval
from jaxbench.blocks import Block
from jaxbench.config import Member
from jaxbench.evaluate.evaluator import Evaluator
from jaxbench.plan.perturbations import Columns


@struct.dataclass
class _Chooser:
  """What compares the options of cases."""

  classifier: Any  # Images to logits [B, T], one a sentence.
  options: jax.Array  # [N, M] int32, of each case; the first is right.
  tolerance: jax.Array  # [] float32, of equal logits.
  ties_are_right: jax.Array  # [] bool.


@struct.dataclass
class _Choice:
  """Of one model; arrays [B, ...]."""

  prediction: jax.Array  # [] int32: 0 for the right option, 1 for a wrong one; or NOTHING.
  rank: jax.Array  # [] int32, how many wrong options are more similar.
  tied: jax.Array  # [] int32, how many are as similar.
  margin: jax.Array  # [] float32, by how much the best wrong one leads, as a cosine.
  scores: jax.Array  # [M] float32, logits of the options.


class OptionQueries(Evaluator):
  """The models of a probe. An attack on one has the goal that a wrong option leads."""

  aimed = True

  def cases(self, block: Block) -> np.ndarray:
    """See `Evaluator`: their numbers, by which options are found."""
    return block.indices.astype(np.int32)

  def judge(
    self, member: Member, images: jax.Array, labels: jax.Array, hashes: jax.Array
  ) -> _Choice:
    """Which option is preferred; see `Evaluator.judge`."""
    del hashes
    return _choose()(self._chooser(member), images, labels)

  def ranks(self, member: Member, images: Callable[[], np.ndarray], labels: np.ndarray) -> Columns:
    """What is preferred, and where the right option stands; see `Evaluator.ranks`."""
    arrays = images(), labels
    batches = devices.stream(_choose(), self._chooser(member), arrays, self.slots)
    parts = [vars(batch.fetch()) for batch in batches]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found | {"scores": list(found["scores"])}

  @functools.cached_property
  def _chooser(self) -> Callable[[Member], devices.Replicated]:
    return functools.cache(self._load_chooser)

  def _load(self, member: Member) -> devices.Replicated:
    """The classifier of all sentences, with the goal of attacks on it."""
    chooser: _Chooser = self._chooser(member).tree()
    tie = jnp.where(chooser.ties_are_right, chooser.tolerance, -chooser.tolerance)
    goal = attacks.Pair(chooser.options[:, 0], chooser.options[:, 1:], tie)
    return devices.replicate(attacks.Aimed(chooser.classifier, goal))

  def _together(self, classifiers: list[Any]) -> Any:
    """All of them have the goal of the first."""
    return attacks.Aimed(
      attacks.ensemble([one.classifier for one in classifiers]), classifiers[0].goal
    )

  def _load_chooser(self, member: Member) -> devices.Replicated:
    loaded, classifier, _ = self.parts(member)
    space = self.label_space
    assert isinstance(space, data.OptionSpace)
    return devices.replicate(
      _Chooser(
        models.resized(classifier, loaded.preprocess.size),
        jnp.asarray(space.options, jnp.int32),
        jnp.float32(retrieval.TOLERANCE) * loaded.logit_scale,
        jnp.bool_(space.ties_are_right),
      )
    )


@functools.cache
def _choose() -> Callable[..., _Choice]:
  """A sharded program (`_Chooser`, images, numbers of cases) -> `_Choice`."""

  def choose(chooser: _Chooser, images: jax.Array, cases: jax.Array) -> _Choice:
    logits = chooser.classifier(images).astype(jnp.float32)
    scores = jnp.take_along_axis(logits, chooser.options[cases], axis=1)
    lead = scores[:, 1:] - scores[:, :1]
    ahead = (lead > chooser.tolerance).sum(axis=1)
    equal = (jnp.abs(lead) <= chooser.tolerance).sum(axis=1)
    wrong = (ahead > 0) | ((equal > 0) & ~chooser.ties_are_right)
    finite = jnp.isfinite(logits).all(axis=1)
    scale = chooser.tolerance / retrieval.TOLERANCE  # Of logits.
    return _Choice(
      prediction=jnp.where(finite, wrong.astype(jnp.int32), retrieval.NOTHING),
      rank=jnp.where(finite, ahead, lead.shape[1]).astype(jnp.int32),
      tied=jnp.where(finite, equal, 0).astype(jnp.int32),
      margin=jnp.where(finite, lead.max(axis=1) / scale, jnp.inf),
      scores=scores,
    )

  return devices.shard(choose)
