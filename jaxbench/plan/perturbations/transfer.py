"""Transfer attacks at one epsilon, or with the smallest one that fools each target."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from typing import ClassVar

import jax
import numpy as np

from jaxbench import attacks, config, devices, errors, spec
from jaxbench.attacks.engine import next_run, visibility
from jaxbench.blocks import Block, pictures
from jaxbench.plan.classifiers import Absent, Surrogate
from jaxbench.plan.perturbations import adversary
from jaxbench.plan.perturbations.adversary import Bisected
from jaxbench.plan.perturbations.base import Columns, Evaluator, Judged, Passes, Target
from jaxbench.plan.perturbations.surrogate import FromSurrogate, judge
from jaxbench.records import kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transfer(FromSurrogate):
  """At one epsilon: images are made once and shown to all targets."""

  kind: ClassVar[str] = kinds.TRANSFER
  field: ClassVar[str] = "attacks.transfer"

  classes: bool = False

  def passes(self, model: str) -> Iterator[Passes]:
    """See `Perturbation`."""
    yield Passes(model, 1, 0)
    count = len(self.members)
    for place, member in enumerate(self.members):
      images = self.stream, self.epsilon, place
      yield Passes(
        member.model, (self.forwards - 1) // count, self.backwards // count, images=images
      )

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`.

    No image is made again that no target needs. What a target has wrong when clean is judged like
    the rest.
    """
    left = np.flatnonzero(np.any([target.lacking for target in targets], axis=0))
    some = block.at(left)
    surrogate = self.prepared(evaluator, targets[0].data, some)
    program, seed = judge(self.cascade.attacks[0].norm), evaluator.settings.seed
    cases = evaluator.cases(some)
    everything = adversary.attackable(self.stream, self.epsilon, some, seed, surrogate, cases)
    size = evaluator.slots * devices.mesh().size
    for start in range(0, len(left), size):
      rows = np.arange(start, min(start + size, len(left)))
      examples = everything.some(rows)
      images, costs = self.make(evaluator, surrogate, examples)
      shared: Columns = {
        "steps": costs["steps"],
        "forwards": 1 + costs["forwards"],
        "backwards": costs["backwards"],
        "picture": pictures.keep(rows, some, {"image": images}.__getitem__),
        **visibility.columns(examples.images, images, evaluator.slots),
      }
      arrays = (images, examples.images, examples.epsilons, examples.words)
      for target in targets:
        classifier = evaluator.classifier(target.member)
        (batch,) = devices.stream(program, classifier, arrays, evaluator.slots)
        verdicts = batch.fetch()
        columns = shared | adversary.right(verdicts.votes, examples.labels)
        judged = functools.partial(getattr, verdicts, "image")
        columns |= {"prediction": verdicts.prediction, "distance": verdicts.distance}
        # Of a probe, what is preferred is no class.
        columns |= evaluator.ranks(target.member, judged, cases[rows])
        columns["success"] = columns["prediction"] != examples.labels
        keep = np.flatnonzero(target.lacking[left[rows]])
        if len(keep):
          fresh = {name: [column[row] for row in keep] for name, column in columns.items()}
          yield target, left[rows[keep]], fresh


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmallestTransfer(Bisected, FromSurrogate):
  """The smallest epsilon, for each example, at which images made on the surrogate fool the target.

  As in `attacks.minimal_epsilon`, of which the target takes the verdicts.
  """

  kind: ClassVar[str] = kinds.SMALLEST_TRANSFER
  field: ClassVar[str] = "attacks.smallest_transfer"

  shares_images: bool = False

  def passes(self, model: str) -> Iterator[Passes]:
    """See `Perturbation`: images are made anew for each target."""
    count, probes = len(self.members), self._probes
    yield Passes(model, 1 + probes, 0)
    for member in self.members:
      forwards = (self.forwards - 1 - probes) // count
      yield Passes(member.model, forwards, self.backwards // count)

  @property
  def _probes(self) -> int:
    return attacks.most_probes(self.cascade.attacks[0], self.epsilon, self.tolerance)

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`; "distance" is infinite where nothing up to the epsilon fooled."""
    (target,) = targets
    lacking = np.flatnonzero(target.lacking)
    some, answers = block.at(lacking), target.answers(lacking)
    clean = answers["prediction"]
    rows, columns = self._bisected(evaluator, target, some, answers)
    yield target, lacking[rows], columns
    wrong = np.flatnonzero(clean != some.labels)
    yield target, lacking[wrong], adversary.untouched(some, answers, wrong)

  def _bisected(
    self, evaluator: Evaluator, target: Target, block: Block, answers: Columns
  ) -> tuple[np.ndarray, Columns]:
    """Rows of the block that the target has right, and their columns."""
    surrogate = self.prepared(evaluator, target.data, block)
    (attack,) = self.cascade.attacks
    program, classifier = judge(attack.norm), evaluator.classifier(target.member)
    clean, seed = answers["prediction"], evaluator.settings.seed
    rows = np.flatnonzero(clean == block.labels)
    attackable = adversary.attackable(self.stream, self.epsilon, block, seed, surrogate)
    everything = attackable.some(rows)
    best = everything.images / np.float32(255)
    found = {name: column[rows] for name, column in answers.items()}
    low, high = np.zeros(len(rows), np.float32), np.full(len(rows), np.inf, np.float32)
    costs = {name: np.zeros(len(rows), np.int32) for name in ("steps", "forwards", "backwards")}
    epsilons, active = everything.epsilons.copy(), np.arange(len(rows))
    while len(active):
      some = everything.some(active)
      some = some._replace(epsilons=epsilons[active])
      images, spent = self.make(evaluator, surrogate, some)
      arrays = (images, some.images, some.epsilons, some.words)
      stream = devices.stream(program, classifier, arrays, evaluator.slots)
      batches = [batch.fetch() for batch in stream]
      verdicts = jax.tree.map(lambda *parts: np.concatenate(parts), *batches)
      fooled = verdicts.prediction != some.labels
      probed = low[active], high[active], some.epsilons, verdicts.distance, fooled
      bracket = next_run.narrowed(*probed, attack, self.tolerance, np)
      won = active[bracket.better]
      best[won] = verdicts.image[bracket.better]
      of_these = {"prediction": verdicts.prediction}
      of_these |= adversary.right(verdicts.votes, some.labels)
      for name, column in of_these.items():
        found[name][won] = column[bracket.better]
      low[active], high[active], epsilons[active] = bracket.low, bracket.high, bracket.probe
      costs["steps"][active] += spent["steps"]
      costs["forwards"][active] += 1 + spent["forwards"]
      costs["backwards"][active] += spent["backwards"]
      active = active[bracket.unsettled]
    costs["forwards"] += 1
    verdict = found | {"success": found["prediction"] != everything.labels, "distance": high}
    kept = pictures.keep(rows, block, {"image": best}.__getitem__)
    seen = visibility.columns(everything.images, best, evaluator.slots)
    return rows, adversary.where_fooled(costs | verdict | seen | {"picture": kept})


def _for_transfer(text: str, *, encodes: bool, once: bool = False) -> spec.Spec:
  """An attack as it is made for transfer: it never stops early.

  Args:
    text: of the attack.
    encodes: whether it is made on an image encoder, by the distance of embeddings.
    once: leave out its draws, for a model that has none.

  Raises:
    InputError: it cannot be made so.
  """
  fixed = ({"loss": "distance"} if encodes else {}) | ({"draws": 1} if once else {})
  return spec.resolve(text, attacks.ATTACKS, "attack", keep_going=True, **fixed)


def _begun(text: str, surrogate: Surrogate) -> attacks.Cascade | None:
  """As it is made on the start of a surrogate, if there is one."""
  if not surrogate.start:
    return None
  draws = any(member.random for member in surrogate.start)
  return attacks.cascade(spec.build(_for_transfer(text, encodes=False, once=not draws)))


def wanted(
  settings: config.Config, surrogates: list[Surrogate], data_name: str, absent: list[Absent]
) -> Iterator[FromSurrogate]:
  """Every transfer attack from every surrogate, at every epsilon or bisected.

  What cannot be made on a surrogate becomes absent.

  Raises:
    InputError: an attack has no form for transfer.
  """
  options = settings.attacks
  texts = dict.fromkeys((*options.transfer, *options.smallest_transfer))
  resolved = {text: _transferable(text) for text in texts}
  usable = {
    text: list(_usable(surrogates, attack, data_name, absent)) for text, attack in resolved.items()
  }
  for text, epsilon in itertools.product(options.transfer, options.epsilons):
    for surrogate in usable[text]:
      yield _at(resolved[text], surrogate, epsilon)
  for text in options.smallest_transfer:
    for surrogate in usable[text]:
      yield _up_to(resolved[text], surrogate, max(options.epsilons), options.tolerance)


def _usable(
  surrogates: list[Surrogate], attack: spec.Spec, data_name: str, absent: list[Absent]
) -> Iterator[Surrogate]:
  """Surrogates that the attack can be made on; an encoder of images needs its own loss."""
  cascade = attacks.cascade(spec.build(attack))
  for surrogate in surrogates:
    what = f"transfer of {attack.text} from {surrogate.name} on {data_name}"
    if reason := adversary.without_draws(cascade, surrogate):
      absent.append(Absent(what, reason))
      continue
    if not surrogate.encodes:
      yield surrogate
      continue
    if (loss := attack.arguments.get("loss", "distance")) != "distance":
      absent.append(Absent(what, f"its loss {loss!r} needs classes, an embedding has none"))
      continue
    try:
      spec.build(_for_transfer(attack.text, encodes=True))
    except errors.InputError as error:
      absent.append(Absent(what, f"{error}; pgd and apgd can attack embeddings"))
    else:
      yield surrogate


def _transferable(text: str) -> spec.Spec:
  """An attack that has a form for transfer."""
  written, _ = adversary.resolve(text)
  returns = attacks.KEEP_GOING.get(written.call)
  if returns is None:
    reason = "it stops where it fools its surrogate"
  elif not written.arguments.get("keep_going", True):
    reason = "keep_going=False stops where it fools its surrogate"
  elif returns == "smallest":
    reason = "it looks for the smallest perturbation"
  else:
    return written
  raise errors.InputError(f"--config.attacks.transfer: {written.text} has no transfer: {reason}")


def _at(written: spec.Spec, surrogate: Surrogate, epsilon: float) -> Transfer:
  """Made with all members of the surrogate; looked at by them and by one target."""
  made = _for_transfer(written.text, encodes=surrogate.encodes)
  attack = spec.build(made)
  forwards, backwards = _once(attack, surrogate)
  return Transfer(
    text=f"transfer({written.text}, {surrogate.name})",
    stream=f"transfer({made.full}, {surrogate.name})",
    forwards=forwards,
    backwards=backwards,
    knowledge=surrogate.knowledge,
    attack=written.text,
    cascade=attacks.cascade(attack),
    norm=adversary.norm_of(attack, epsilon),
    epsilon=epsilon,
    surrogate=surrogate,
    begun=_begun(written.text, surrogate),
  )


def _up_to(
  written: spec.Spec, surrogate: Surrogate, epsilon: float, tolerance: float
) -> SmallestTransfer:
  made = _for_transfer(written.text, encodes=surrogate.encodes)
  attack = spec.build(made)
  forwards, backwards = _once(attack, surrogate)
  probes = attacks.most_probes(attack, epsilon, tolerance)
  return SmallestTransfer(
    text=f"smallest(transfer({written.text}, {surrogate.name}))",
    stream=f"smallest(transfer({made.full}, {surrogate.name}))",
    forwards=probes * forwards + 1,
    backwards=probes * backwards,
    knowledge=surrogate.knowledge,
    attack=written.text,
    cascade=attacks.cascade(attack),
    norm=adversary.norm_of(attack, epsilon),
    epsilon=epsilon,
    tolerance=tolerance,
    surrogate=surrogate,
    begun=_begun(written.text, surrogate),
  )


def _once(attack: attacks.Attack, surrogate: Surrogate) -> tuple[int, int]:
  """Forward and backward passes at one epsilon, for one target."""
  members = len(surrogate.start) + len(surrogate.members)
  steps = attack.steps * attack.runs
  return 1 + members * (1 + attack.forwards * steps), members * attack.backwards * steps
