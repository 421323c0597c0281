"""Images made on a surrogate: what attacks for transfer share.

The surrogate never sees a target. Its images have its own resolution, the declared one, and models
of another resize them inside.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import struct

from jaxbench import attacks, config, devices, errors
from jaxbench.attacks.engine import batching, evaluations, verdict, view
from jaxbench.attacks.parts import norms
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Classifier, Surrogate
from jaxbench.plan.perturbations.adversary import Adversary
from jaxbench.plan.perturbations.base import Evaluator, Search


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromSurrogate(Adversary):
  """An attack that is made on a surrogate and judged by a target."""

  classes: bool = True
  surrogate: Surrogate
  begun: attacks.Cascade | None = None  # As it is made on the start of the surrogate.

  @property
  def described(self) -> dict[str, Any]:
    """See `Perturbation`."""
    return super().described | {"surrogate": self.surrogate.name, "members": self.member_names}

  @property
  def members(self) -> tuple[Classifier, ...]:
    """See `Perturbation`."""
    return (*self.surrogate.start, *self.surrogate.members)

  @property
  def member_names(self) -> tuple[config.Member, ...]:
    """The models of the surrogate, as an evaluator knows them."""
    return _names(self.surrogate.members)

  def hashed(self, settings: config.Config) -> dict[str, Any]:
    """See `Perturbation`."""
    identities = [member.identity for member in self.surrogate.members]
    hashed = super().hashed(settings) | {"surrogates": identities}
    if self.surrogate.start:
      hashed["start"] = [member.identity for member in self.surrogate.start]
    return hashed

  def seen_by(self, classifier: Classifier) -> Classifier | Surrogate:
    """See `Perturbation`."""
    del classifier
    return self.surrogate

  def searches(self, evaluator: Evaluator, member: config.Member) -> list[Search]:
    """See `Perturbation`; a bisection goes on outside of the slots."""
    del member
    names = self.member_names
    surrogate = evaluator.surrogate(names)
    return [Search(names, surrogate, attack, None) for attack in self.cascade.attacks]

  def prepared(self, evaluator: Evaluator, data: str, block: Block) -> devices.Replicated:
    """The surrogate, looked at once on a data set."""
    surrogate = evaluator.surrogate(self.member_names)
    if not self.surrogate.encodes:  # The checks are for classifiers.
      names = f"{self.surrogate.name} on {data}", f"{self.text} on {data}"
      evaluator.check(names, self.cascade, surrogate, block)
    return devices.replicate(view.distinct(surrogate.tree()))

  def make(
    self, evaluator: Evaluator, surrogate: devices.Replicated, examples: batching.Examples
  ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Images [N, H, W, 3] and what they cost, whatever the surrogate thinks of them.

    Raises:
      InputError: the surrogate's logits are not numbers.
    """
    if self.begun is None:
      return self._made(evaluator, self.cascade, surrogate, examples, len(self.surrogate.members))
    names = _names(self.surrogate.start)
    start = devices.replicate(view.distinct(evaluator.surrogate(names).tree()))
    labels = view.searched(start.tree(), examples.labels)
    first = examples._replace(searched=labels)
    images, before = self._made(evaluator, self.begun, start, first, len(names))
    then = examples._replace(starts=images)
    images, after = self._made(
      evaluator, self.cascade, surrogate, then, len(self.surrogate.members)
    )
    return images, {name: before[name] + after[name] for name in after}

  def _made(
    self,
    evaluator: Evaluator,
    cascade: attacks.Cascade,
    surrogate: devices.Replicated,
    examples: batching.Examples,
    members: int,
  ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What an attack makes on one surrogate of so many members."""
    images = np.empty(examples.images.shape, np.float32)
    costs: dict[str, np.ndarray] = {}
    # The surrogate is nobody's judge: its images are made once, whatever becomes of its claims.
    quantize = evaluator.settings.attacks.quantize
    aimed = isinstance(surrogate.tree(), attacks.Aimed)
    how = batching.Settings(evaluator.slots, quantize, surrogate=True, aimed=aimed)
    for harvest in batching.attack(cascade, None, [surrogate], examples, how, batching.Tally()):
      images[harvest.rows] = harvest.fetch("image")
      for name, values in harvest.costs.items():
        costs.setdefault(name, np.zeros(len(images), np.int32))[harvest.rows] = values
    logits = verdict.logits(surrogate, images, evaluator.slots)
    if broken := int((~np.isfinite(logits)).any(axis=-1).sum()):
      raise errors.InputError(
        f"the logits of its surrogate are not finite on {broken} of {len(images)} images"
      )
    costs["forwards"] -= 1  # The engine counts a look at the clean image; nobody took it.
    passes = {name: members * costs[name] for name in ("forwards", "backwards")}
    return images, costs | passes


def _names(members: tuple[Classifier, ...]) -> tuple[config.Member, ...]:
  """As an evaluator knows them."""
  return tuple(config.Member(member.model, member.prompts) for member in members)


@struct.dataclass
class Verdict:
  """Of one target; arrays [S]."""

  image: jax.Array  # [H, W, 3] float32: what was judged; the clean one, if that was outside.
  prediction: jax.Array  # [] int32, or `verdict.NOTHING`.
  distance: jax.Array  # [] float32, from the clean image, at the surrogate's resolution.
  votes: jax.Array | None  # [R] int32: of a randomised target, its predictions.


@functools.cache
def judge(norm: norms.Norm) -> Callable[..., Verdict]:
  """A program (classifier, images, clean images, epsilons, words) -> verdicts of a target."""

  def answer(
    classifier: attacks.Classifier,
    images: jax.Array,
    clean: jax.Array,
    epsilons: jax.Array,
    words: jax.Array,
  ) -> Verdict:
    images, distance = verdict.inside(norm, images, attacks.as_float(clean), epsilons)
    answers = evaluations.ask(classifier, images, words)
    return Verdict(images, verdict.chosen(answers), distance, answers.votes)

  return devices.shard(answer)
