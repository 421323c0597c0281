"""An attack towards one class of each image: a success is that this class is predicted."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxbench import attacks, config, data, devices, errors
from jaxbench.attacks.engine import batching, verdict, view
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Absent, Classifier
from jaxbench.plan.perturbations import adversary, aims
from jaxbench.plan.perturbations.adversary import Adversary
from jaxbench.plan.perturbations.base import Evaluator, Judged, Search, Target
from jaxbench.records import kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Targeted(Adversary):
  """At one epsilon."""

  kind: ClassVar[str] = kinds.TARGETED
  field: ClassVar[str] = "attacks.targeted"

  aim: aims.Aim
  shares_images: bool = False
  named: bool = True
  classes: bool = True

  def check(self, source: data.Source, indices: Sequence[int]) -> None:
    """See `Perturbation`."""
    self.aim.check(source, indices)

  def unfit(self, classifier: Classifier) -> str | None:
    """See `Perturbation`."""
    return "a targeted attack is for models that draw nothing" if classifier.random else None

  def searches(self, evaluator: Evaluator, member: config.Member) -> list[Search]:
    """See `Perturbation`."""
    searcher = _aimed(evaluator.searchers(member)[0])
    return [Search(member.model, searcher, attack, None) for attack in self.cascade.attacks]

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`; of one target, as verdicts fall.

    Images that are misclassified as they are get attacked like the rest.
    """
    (target,) = targets
    lacking = np.flatnonzero(target.lacking)
    some, answers = block.at(lacking), target.answers(lacking)
    classifier, searchers = evaluator.classifier(target.member), evaluator.searchers(target.member)
    names = f"{target.classifier.name} on {target.data}", f"{self.text} on {target.data}"
    evaluator.check(names, self.cascade, classifier, some)
    # Classes that are called the same are one, to be aimed at as to be attacked.
    seen = devices.replicate(view.distinct(classifier.tree()))
    wanted, shown = self._wanted(evaluator, seen, some)
    reached = answers["prediction"] == shown
    clean = np.flatnonzero(reached)
    yield target, lacking[clean], _columns(adversary.untouched(some, answers, clean), shown[clean])
    left = np.flatnonzero(~reached)
    aimed = [_aimed(searcher) for searcher in searchers]
    seed, quantize = evaluator.settings.seed, evaluator.settings.attacks.quantize
    everything = adversary.attackable(self.stream, self.epsilon, some, seed, aimed[-1], wanted)
    how = batching.Settings(evaluator.slots, quantize, visibility=True, aimed=True)
    examples, tally = everything.some(left), evaluator.tally
    for harvest in batching.attack(self.cascade, _aimed(seen), aimed, examples, how, tally):
      keep = np.flatnonzero(harvest.final)
      rows = left[harvest.rows]
      columns = adversary.harvested(self.cascade, harvest, rows, some)
      columns["prediction"] = view.original(seen.tree(), columns["prediction"])
      columns = _columns(columns, shown[rows])
      fresh = {name: [column[row] for row in keep] for name, column in columns.items()}
      yield target, lacking[rows[keep]], fresh

  def _wanted(
    self, evaluator: Evaluator, seen: devices.Replicated, block: Block
  ) -> tuple[np.ndarray, np.ndarray]:
    """The classes int32 [N] that are aimed at, as attacks count classes and as the data set does.

    Raises:
      InputError: a class is aimed at that is called as the label is.
    """
    tree = seen.tree()
    labels, slots = view.searched(tree, block.labels), evaluator.slots
    stream, seed = f"targets({self.aim.name})", evaluator.settings.seed
    words = adversary.example_words(stream, block, seed)  # The same for all attacks and epsilons.
    chosen = self.aim.choose(
      block.ids,
      block.indices.tolist(),
      labels,
      view.classes(tree, len(block.source.class_names)),
      words,
      lambda: verdict.logits(seen, block.images, slots),
    )
    if self.aim.listed is not None:
      chosen = view.searched(tree, chosen)
    if (same := chosen == labels).any():
      example = block.ids[int(np.argmax(same))]
      raise errors.InputError(f"{self.aim.name}: the target of {example!r} is called as its label")
    return chosen, view.original(tree, chosen)


def _aimed(classifier: devices.Replicated) -> devices.Replicated:
  """With the goal that what stands for labels is predicted."""
  return devices.replicate(attacks.Aimed(classifier.tree(), attacks.Towards(None)))


def _columns(columns: dict[str, Any], targets: np.ndarray) -> dict[str, Any]:
  """Of rows with targets [n], which tell what was reached."""
  success = np.asarray(columns["prediction"]) == targets
  stages = columns.get("found_by", [None] * len(targets))
  found = [stage if reached else None for stage, reached in zip(stages, success, strict=True)]
  return columns | {"target": targets, "success": success, "found_by": found}


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Targeted]:
  """Each attack towards each kind of targets, at every epsilon.

  Raises:
    InputError: an attack is unknown or cannot be given a target, or there are no such targets.
  """
  del absent
  options = settings.attacks
  chosen = [aims.find(text) for text in options.targets]
  for text in options.targeted:
    resolved, cascade = adversary.resolve(text)
    if reason := _untargetable(cascade):
      raise errors.InputError(f"--config.attacks.targeted: {resolved.text} {reason}")
    forwards, backwards = adversary.most_passes(cascade, bisected=False)
    for aim in chosen:
      for epsilon in options.epsilons:
        yield Targeted(
          text=f"targeted({resolved.text}, {aim.name})",
          stream=f"targeted({resolved.full}, {aim.stream})",
          forwards=forwards,
          backwards=backwards,
          knowledge=cascade.knowledge,
          attack=resolved.text,
          cascade=cascade,
          norm=adversary.norm_of(cascade.attacks[0], epsilon),
          epsilon=epsilon,
          aim=aim,
        )


def _untargetable(cascade: attacks.Cascade) -> str | None:
  """Why an attack cannot be given a class to aim at, or None."""
  if any(attack.targets for attack in cascade.attacks):
    return "aims at classes of its own; take its untargeted form"
  if cascade.draws > 1:
    return "takes means over draws, and a targeted attack is for models that draw nothing"
  return None
