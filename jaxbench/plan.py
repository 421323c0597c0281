"""A config becomes an ordered list of cells: model x data set x prompt set x perturbation."""

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Iterator
from typing import NamedTuple

import jaxbench
from jaxbench import (
  attacks,
  classifiers,
  config,
  corruptions,
  data,
  errors,
  models,
  spec,
  typography,
)
from jaxbench.classifiers import Absent, Classifier, Surrogate

CLEAN = "clean"


@dataclasses.dataclass(frozen=True)
class Cell:
  """One number of the result: a classifier on one data set under one perturbation."""

  model: str
  data: str
  prompts: str | None  # None for a supervised model.
  perturbation: str  # "clean" or a canonical spec.
  severity: int | None  # Of a corruption.
  attack: str | None  # Its canonical spec.
  surrogate: str | None  # What a transfer attack is made on; None for white-box ones.
  members: tuple[str, ...]  # The models of the surrogate.
  norm: str | None  # Of an attack.
  epsilon: float | None  # Of an attack, in [0, 1] pixel units; the largest one of a bisection.
  tolerance: float | None  # Of a bisection for the smallest epsilon; None for one epsilon.
  preprocess: models.Preprocess  # The model's own; of a transfer attack, its surrogate's.
  examples: int
  forwards: int  # The most passes for one example.
  backwards: int
  stream: str  # What the randomness is drawn for: the perturbation in full, without epsilon.
  fingerprint: str  # Hash of everything that can change its numbers.

  @property
  def setting(self) -> str:
    """Severity or epsilon as people write it, or ""."""
    if self.epsilon is not None:
      return format_epsilon(self.epsilon)
    return "" if self.severity is None else str(self.severity)

  @property
  def id(self) -> str:
    """Readable and unique."""
    setting = f"@{self.setting}" if self.setting else ""
    prompts = self.prompts or "supervised"
    name = f"{self.perturbation}{setting}"
    return f"{self.model}:{prompts}:{self.data}:{name}#{self.fingerprint}"

  @property
  def passes(self) -> int:
    """The most work of the cell, a backward pass counted as two forward ones."""
    return self.examples * (self.forwards + 2 * self.backwards)


class Plan(NamedTuple):
  """Everything a run will do."""

  cells: tuple[Cell, ...]  # Perturbation by perturbation, so that models share the images.
  absent: tuple[Absent, ...]


class _Perturbation(NamedTuple):
  text: str
  full: str
  severity: int | None = None
  attack: str | None = None
  norm: str | None = None
  epsilon: float | None = None
  tolerance: float | None = None
  forwards: int = 1
  backwards: int = 0
  surrogate: Surrogate | None = None

  @property
  def members(self) -> tuple[Classifier, ...]:
    """Of the surrogate."""
    return self.surrogate.members if self.surrogate else ()


def format_epsilon(epsilon: float) -> str:
  """4/255 rather than 0.0156863, where it is such a fraction."""
  steps = round(epsilon * 255, 3)
  return f"{steps:g}/255" if abs(steps / 255 - epsilon) < 1e-9 else f"{epsilon:g}"


def make(settings: config.Config) -> Plan:
  """The cells of a checked config; reads descriptions, no weights.

  Raises:
    InputError: a model, data set, prompt set, corruption or attack is unknown, or an attack has no
      transfer.
  """
  white_box = list(_perturbations(settings))
  transferred = [_transferable(text) for text in settings.attacks.transfer]
  for prompts in settings.prompts:
    models.templates(prompts)  # An unknown prompt set is an error even if no model uses it.
  cells: list[Cell] = []
  absent: list[Absent] = []
  for name in settings.data:
    source = data.load(name, settings.data_root)
    examples = len(data.sample(source, settings.limit))
    targets = list(classifiers.targets(settings, source, name, absent))
    surrogates = list(classifiers.surrogates(settings, source, name, absent))
    perturbations, transferable = white_box, transferred
    if data.has_several_labels(source):
      transferable, perturbations = [], [one for one in white_box if one.attack is None]
      if len(perturbations) < len(white_box) or transferred:
        reason = "an attack needs one right answer, its images have several"
        absent.append(Absent(f"attacks on {name}", reason))
    transfers = [
      _transfer(*attack, surrogate, epsilon)
      for attack in transferable
      for epsilon in settings.attacks.epsilons
      for surrogate in surrogates
    ]
    cells += [
      Cell(
        model=classifier.model,
        data=name,
        prompts=classifier.prompts,
        perturbation=perturbation.text,
        severity=perturbation.severity,
        attack=perturbation.attack,
        surrogate=perturbation.surrogate and perturbation.surrogate.name,
        members=tuple(one.model for one in perturbation.members),
        norm=perturbation.norm,
        epsilon=perturbation.epsilon,
        tolerance=perturbation.tolerance,
        preprocess=(perturbation.surrogate or classifier).preprocess,
        examples=examples,
        forwards=perturbation.forwards,
        backwards=perturbation.backwards,
        stream=perturbation.full,
        fingerprint=_fingerprint(classifier, perturbation, source, settings),
      )
      for perturbation in (*perturbations, *transfers)
      for classifier in targets
    ]
  ids = [cell.id for cell in cells]
  if len(set(ids)) < len(ids):
    twice = next(name for name in ids if ids.count(name) > 1)
    raise errors.InputError(f"--config asks twice for {twice}")
  return Plan(tuple(cells), tuple(absent))


def _perturbations(settings: config.Config) -> Iterator[_Perturbation]:
  yield _Perturbation(CLEAN, CLEAN)
  for name in settings.corruptions.names:
    corruptions.check(name, settings.corruptions.variant)
    full = f"{name}(variant={settings.corruptions.variant!r})"
    for severity in settings.corruptions.severities:
      yield _Perturbation(name, f"{full}@{severity}", severity=severity)
  for text in settings.typography:
    resolved = spec.resolve(text, typography.OVERLAYS, "typographic attack")
    spec.build(resolved)
    yield _Perturbation(resolved.text, resolved.full)
  for text in settings.attacks.names:
    resolved, cascade = _cascade(text)
    for epsilon in settings.attacks.epsilons:
      yield _attack(resolved, cascade, epsilon)
  for text in settings.attacks.smallest:
    resolved, cascade = _cascade(text)
    if len(cascade.attacks) > 1:
      raise errors.InputError(
        f"--config.attacks.smallest: {resolved.text} is several attacks in a row; name one of them"
      )
    yield _attack(resolved, cascade, max(settings.attacks.epsilons), settings.attacks.tolerance)


def _cascade(text: str) -> tuple[spec.Spec, attacks.Cascade]:
  resolved = spec.resolve(text, attacks.ATTACKS, "attack")
  cascade = attacks.cascade(spec.build(resolved))
  if cascade.draws > 1:
    raise errors.InputError(
      f"{resolved.text} is for randomised classifiers, which take a key; the models of a config "
      "do not: call attacks.run on yours"
    )
  return resolved, cascade


def _attack(
  resolved: spec.Spec, cascade: attacks.Cascade, epsilon: float, tolerance: float | None = None
) -> _Perturbation:
  """At one epsilon or, with a tolerance, searching for the smallest one up to it."""
  forwards, backwards = 1, 0
  for one in cascade.attacks:
    probes = 1 if tolerance is None else attacks.most_probes(one, epsilon, tolerance)
    steps = one.steps * one.runs * probes
    forwards += 1 + one.forwards * steps
    backwards += one.backwards * steps
  names = resolved.text, resolved.full
  text, full = names if tolerance is None else (f"smallest({name})" for name in names)
  return _Perturbation(
    text,
    full,
    attack=resolved.text,
    norm=attacks.norm_name(cascade.attacks[0].norm),
    epsilon=epsilon,
    tolerance=tolerance,
    forwards=forwards,
    backwards=backwards,
  )


def _transferable(text: str) -> tuple[spec.Spec, spec.Spec]:
  """An attack as it was written, and as it is made for transfer: without stopping early."""
  written, _ = _cascade(text)
  option = "keep_going"
  if option not in inspect.signature(written.call).parameters:
    reason = "it stops where it fools its surrogate"
  elif not written.arguments.get(option, True):
    reason = f"{option}=False stops where it fools its surrogate"
  else:
    made = spec.resolve(text, attacks.ATTACKS, "attack", keep_going=True)
    if not spec.build(made).minimizes:
      return written, made
    reason = "it looks for the smallest perturbation"
  raise errors.InputError(f"--config.attacks.transfer: {written.text} has no transfer: {reason}")


def _transfer(
  written: spec.Spec, made: spec.Spec, surrogate: Surrogate, epsilon: float
) -> _Perturbation:
  """Made with all members of the surrogate, and looked at by them and by one target."""
  attack, members = spec.build(made), len(surrogate.members)
  steps = attack.steps * attack.runs
  return _Perturbation(
    f"transfer({written.text}, {surrogate.name})",
    f"transfer({made.full}, {surrogate.name})",
    attack=written.text,
    norm=attacks.norm_name(attack.norm),
    epsilon=epsilon,
    forwards=1 + members * (1 + attack.forwards * steps),
    backwards=members * attack.backwards * steps,
    surrogate=surrogate,
  )


def _fingerprint(
  classifier: Classifier,
  perturbation: _Perturbation,
  source: data.Source,
  settings: config.Config,
) -> str:
  """A hash of everything that can change a cell's numbers."""
  decisive = classifier.identity | {
    "data": source.sha256,
    "classes": list(source.class_names),  # Which words stand on images.
    "perturbation": perturbation.full,
    "epsilon": perturbation.epsilon,
    "seed": settings.seed,
    "jaxbench": jaxbench.__version__,
  }
  if perturbation.epsilon is not None:
    decisive["quantize"] = settings.attacks.quantize
    decisive["search_dtype"] = settings.attacks.search_dtype
    decisive["tolerance"] = perturbation.tolerance
  if perturbation.members:
    decisive["surrogates"] = [member.identity for member in perturbation.members]
  packed = json.dumps(decisive, sort_keys=True).encode()
  return hashlib.blake2b(packed, digest_size=5).hexdigest()
