"""Attacks on both sides of a retrieval set at once: images and captions, each against the other.

All images and all captions are attacked on one model, then ranked by every model (SGA and
Co-Attack, see `attacks.joint`): an attacked query stands among attacked items.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from jaxbench import attacks, config, data, devices, errors, spec
from jaxbench.attacks.joint import Joint as Method
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Absent, Classifier, Surrogate
from jaxbench.plan.perturbations import adversary, galleries, text_attack
from jaxbench.plan.perturbations.base import (
  Columns,
  Evaluator,
  Judged,
  Passes,
  Search,
  Target,
  everywhere,
)
from jaxbench.plan.perturbations.surrogate import FromSurrogate
from jaxbench.plan.perturbations.text_attack import TextAttack
from jaxbench.records import kinds

_ALONE = "both sides are attacked on one undefended model with its captions"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Joint(FromSurrogate):
  """At one epsilon of the images."""

  kind: ClassVar[str] = kinds.JOINT
  field: ClassVar[str] = "joint.names"

  method: Method
  texts: TextAttack | None  # None leaves captions as they are.
  text_share: int  # Passes over texts that an example bears.

  @property
  def source(self) -> config.Member:
    """The model that it is made on, as an evaluator knows it."""
    return self.member_names[0]

  def unfit(self, classifier: Classifier) -> str | None:
    """See `Perturbation`."""
    if classifier.passes is not None:
      return "a defence is of the classifier of captions as they are"
    if classifier.prompts != self.source.prompts:
      return f"its surrogate reads {self.source.prompts}"
    return text_attack.unread(classifier)

  def passes(self, model: str) -> Iterator[Passes]:
    """See `Perturbation`."""
    yield Passes(model, 1, 0)
    made = self.stream, self.epsilon
    images = self.forwards - 1 - self.text_share
    yield Passes(self.source.model, images, self.backwards, images=made)
    yield Passes(self.source.model, self.text_share, 0, reads=True, images=(*made, "texts"))

  def searches(self, evaluator: Evaluator, member: config.Member) -> list[Search]:
    """See `Perturbation`: of the image encoder, beside which a guide weighs nothing."""
    del member
    encoder = evaluator.surrogate((config.Member(self.source.model, config.EMBEDDING),))
    return [Search(self.source.model, encoder, attack, None) for attack in self.cascade.attacks]

  def attacked(
    self, evaluator: Evaluator, guide: devices.Replicated, images: Block
  ) -> Iterator[devices.Batch]:
    """Batches of attacked images of a block, on the devices; see `attacks.joint.base.Guide`."""
    examples = adversary.attackable(
      self.stream, self.epsilon, images, evaluator.settings.seed, guide
    )
    found, _ = self.make(evaluator, guide, examples)
    norm = self.cascade.attacks[0].norm
    arrays = found, images.images, examples.epsilons
    return devices.dispatch(galleries.inside(norm), devices.replicate(()), arrays, evaluator.slots)

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`."""
    columns = evaluator.jointly(self, [target.member for target in targets], block)
    yield from everywhere(targets, block, [_judged(one, block) for one in columns])


def _judged(columns: Columns, block: Block) -> Columns:
  none = np.zeros(len(block.ids), np.int32)
  shared = {"forwards": none + 1, "backwards": none, "protocol": ["both"] * len(none)}
  return shared | columns | {"success": columns["prediction"] != block.labels}


def wanted(
  settings: config.Config,
  surrogates: list[Surrogate],
  source: data.Source,
  name: str,
  absent: list[Absent],
) -> Iterator[Joint]:
  """All that a config asks for on a set, from every surrogate at every epsilon.

  What cannot be made on a surrogate, or a set, becomes absent.

  Raises:
    InputError: one is unknown, or captions cannot be attacked so.
  """
  for text in settings.joint.names:
    resolved = spec.resolve(text, attacks.joint.ATTACKS, "attack on both sides")
    method = spec.build(resolved)
    texts = _texts(settings.joint.texts, method)
    if not isinstance(source, data.Images | data.Captions):
      absent.append(Absent(f"{resolved.text} on {name}", "its images have no captions"))
      continue
    for surrogate in surrogates:
      if reason := _unusable(surrogate):
        absent.append(Absent(f"{resolved.text} from {surrogate.name} on {name}", reason))
        continue
      for epsilon in settings.attacks.epsilons:
        yield _made(resolved, method, texts, surrogate, source, epsilon)


def _texts(written: str, method: Method) -> TextAttack | None:
  if not written:
    return None
  name, arguments = spec.parse(written, text_attack.KIND)
  for taken in ("objective", "target"):
    if taken in arguments:
      raise errors.InputError(
        f"--config.joint.texts: {written} has {taken}=, which is the attack's on both sides to say"
      )
  whole = spec.write(name, arguments)
  resolved = spec.resolve(whole, attacks.text.ATTACKS, text_attack.KIND, objective=method.objective)
  return text_attack.built(resolved)


def _unusable(surrogate: Surrogate) -> str | None:
  if surrogate.encodes or surrogate.start or len(surrogate.members) > 1:
    return _ALONE
  (member,) = surrogate.members
  return _ALONE if member.passes is not None else text_attack.unread(member)


def _made(
  resolved: spec.Spec,
  method: Method,
  texts: TextAttack | None,
  surrogate: Surrogate,
  source: data.Images | data.Captions,
  epsilon: float,
) -> Joint:
  attack, pairs = method.images, source.pairs
  images = len(pairs.source) / len(source.ids)
  captions = len(pairs.captions) / len(source.ids) * (1 + method.again)
  reads = 0 if texts is None else math.ceil(captions * texts.forwards)
  how = ("none", "none") if texts is None else (texts.text, texts.stream)
  return Joint(
    text=f"joint({resolved.text}, {how[0]}, {surrogate.name})",
    stream=f"joint({resolved.full}, {how[1]}, {surrogate.name})",
    forwards=1 + math.ceil(images * attack.forwards * attack.steps) + reads,
    backwards=math.ceil(images * attack.backwards * attack.steps),
    knowledge=surrogate.knowledge,
    attack=f"{resolved.text}, {how[0]}",
    cascade=attacks.cascade(attack),
    norm=adversary.norm_of(attack, epsilon),
    epsilon=epsilon,
    surrogate=surrogate,
    method=method,
    texts=texts,
    text_share=reads,
  )
