"""An attack on the classifier itself: white-box, score-based or decision-based."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from jaxbench import attacks, config, errors
from jaxbench.attacks.engine import batching
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Absent, Classifier
from jaxbench.plan.perturbations import adversary
from jaxbench.plan.perturbations.adversary import Adversary, Bisected
from jaxbench.plan.perturbations.base import Columns, Evaluator, Judged, Search, Target
from jaxbench.records import kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attack(Adversary):
  """At one epsilon."""

  kind: ClassVar[str] = kinds.ATTACK
  field: ClassVar[str] = "attacks.names"

  shares_images: bool = False

  def unfit(self, classifier: Classifier) -> str | None:
    """See `Perturbation`."""
    return adversary.without_draws(self.cascade, classifier)

  def searches(self, evaluator: Evaluator, member: config.Member) -> list[Search]:
    """See `Perturbation`."""
    return _searches(self, evaluator, member, None)

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`; of one target, as verdicts fall."""
    (target,) = targets
    for rows, columns in _verdicts(self, evaluator, target, block, None):
      yield target, rows, columns


@dataclasses.dataclass(frozen=True, kw_only=True)
class Smallest(Bisected):
  """The smallest epsilon for each example, by bisection up to one."""

  kind: ClassVar[str] = kinds.SMALLEST
  field: ClassVar[str] = "attacks.smallest"

  shares_images: bool = False

  def unfit(self, classifier: Classifier) -> str | None:
    """See `Perturbation`."""
    return adversary.without_draws(self.cascade, classifier)

  def searches(self, evaluator: Evaluator, member: config.Member) -> list[Search]:
    """See `Perturbation`."""
    return _searches(self, evaluator, member, self.tolerance)

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`; of one target, as verdicts fall."""
    (target,) = targets
    for rows, columns in _verdicts(self, evaluator, target, block, self.tolerance):
      distance = np.where(columns["success"], columns["distance"], np.float32(np.inf))
      yield target, rows, adversary.where_fooled(columns) | {"distance": distance}


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Adversary]:
  """All that a config asks for: attacks at each epsilon, then searches for the smallest.

  Raises:
    InputError: an attack is unknown, or cannot be bisected.
  """
  del absent
  options = settings.attacks
  for text in options.names:
    resolved, cascade = adversary.resolve(text)
    for epsilon in options.epsilons:
      forwards, backwards = adversary.most_passes(cascade, bisected=False)
      yield Attack(
        text=resolved.text,
        stream=resolved.full,
        forwards=forwards,
        backwards=backwards,
        knowledge=cascade.knowledge,
        attack=resolved.text,
        cascade=cascade,
        norm=adversary.norm_of(cascade.attacks[0], epsilon),
        epsilon=epsilon,
      )
  for text in options.smallest:
    resolved, cascade = adversary.resolve(text)
    if len(cascade.attacks) > 1:
      raise errors.InputError(
        f"--config.attacks.smallest: {resolved.text} is several attacks in a row; name one of them"
      )
    epsilon = max(options.epsilons)
    probes = attacks.most_probes(
      attacks.as_run(cascade.attacks[0], bisected=True), epsilon, options.tolerance
    )
    forwards, backwards = adversary.most_passes(cascade, bisected=True, probes=probes)
    yield Smallest(
      text=f"smallest({resolved.text})",
      stream=f"smallest({resolved.full})",
      forwards=forwards,
      backwards=backwards,
      knowledge=cascade.knowledge,
      attack=resolved.text,
      cascade=cascade,
      norm=adversary.norm_of(cascade.attacks[0], epsilon),
      epsilon=epsilon,
      tolerance=options.tolerance,
    )


def _searches(
  perturbation: Adversary, evaluator: Evaluator, member: config.Member, tolerance: float | None
) -> list[Search]:
  searcher = evaluator.searchers(member)[0]
  return [
    Search(member.model, searcher, attack, tolerance) for attack in perturbation.cascade.attacks
  ]


def _verdicts(
  perturbation: Adversary,
  evaluator: Evaluator,
  target: Target,
  block: Block,
  tolerance: float | None,
) -> Iterator[tuple[np.ndarray, Columns]]:
  """Rows of the block that the target lacks, and their columns."""
  member, cascade, settings = target.member, perturbation.cascade, evaluator.settings
  classifier, searchers = evaluator.classifier(member), evaluator.searchers(member)
  lacking = np.flatnonzero(target.lacking)
  some, answers = block.at(lacking), target.answers(lacking)
  clean = answers["prediction"]
  who = ", ".join(filter(None, member))
  names = f"{who} on {target.data}", f"{perturbation.text} on {target.data}"
  evaluator.check(names, cascade, classifier, some)
  wrong = np.flatnonzero(clean != some.labels)
  untouched = adversary.untouched(some, answers, wrong) | target.ranks(lacking[wrong])
  yield lacking[wrong], untouched
  right = np.flatnonzero(clean == some.labels)
  cases = evaluator.cases(some)
  everything = adversary.attackable(
    perturbation.stream, perturbation.epsilon, some, settings.seed, searchers[-1], cases
  )
  examples = everything.some(right)
  # Of what draws anew for its verdict, a search claims nothing.
  random, quantize = target.classifier.random, settings.attacks.quantize
  how = batching.Settings(
    evaluator.slots, quantize, tolerance, random, visibility=True, aimed=evaluator.aimed
  )
  harvest: batching.Harvest
  for harvest in batching.attack(cascade, classifier, searchers, examples, how, evaluator.tally):
    rows = right[harvest.rows]
    columns = adversary.harvested(cascade, harvest, rows, some)
    columns |= adversary.right(harvest.fetch("votes") if random else None, some.labels[rows])
    columns |= evaluator.ranks(member, functools.partial(harvest.fetch, "image"), cases[rows])
    if evaluator.aimed:  # What the goal is reached by is no class.
      columns["prediction"] = harvest.success.astype(np.int32)
    keep = np.flatnonzero(harvest.final)
    yield (
      lacking[rows[keep]],
      {name: [column[row] for row in keep] for name, column in columns.items()},
    )
