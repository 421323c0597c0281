"""A config becomes an ordered list of cells: model x data set x prompt set x perturbation."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jaxbench
from jaxbench import config, data, errors, models
from jaxbench.metrics import published
from jaxbench.plan import classifiers, perturbations
from jaxbench.plan.classifiers import Absent, Classifier
from jaxbench.plan.perturbations import Perturbation


@dataclasses.dataclass(frozen=True)
class Cell:
  """One number of the result: a classifier on one data set under one perturbation."""

  model: str
  data: str
  prompts: str | None  # None for a supervised model.
  perturbation: str  # "clean" or a canonical spec.
  severity: int | None  # Of a corruption.
  sequence: str | None  # Its name, of one whose frames are compared.
  attack: str | None  # Its canonical spec.
  surrogate: str | None  # What a transfer attack is made on; None for white-box ones.
  members: tuple[config.Member, ...]  # The models of the surrogate.
  knowledge: str | None  # What the attacker knows of the model; None without an attacker.
  norm: str | None  # Of an attack.
  epsilon: float | None  # Of an attack, in [0, 1] pixel units; the largest one of a bisection.
  tolerance: float | None  # Of a bisection for the smallest epsilon; None for one epsilon.
  preprocess: models.Preprocess  # The model's own; of a transfer attack, its surrogate's.
  native: int | None  # The images' own size, where they are perturbed at it and resized inside.
  size: int  # Of what the model is given: all of that, or its centre where the image moves.
  examples: int
  forwards: int  # The most passes for one example.
  backwards: int
  stream: str  # What the randomness is drawn for: the perturbation in full, without epsilon.
  fingerprint: str  # Hash of everything that can change an example's row; "" where it is not known.

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
    name = f"{self.model}:{prompts}:{self.data}:{self.perturbation}{setting}"
    return f"{name}#{self.fingerprint}" if self.fingerprint else name

  @property
  def columns(self) -> dict[str, Any]:
    """Of `records.SCHEMA`: what all rows of the cell share."""
    names = ("model", "data", "prompts", "perturbation", "severity", "epsilon", "tolerance")
    return {"cell": self.id} | {name: getattr(self, name) for name in names}

  @property
  def passes(self) -> int:
    """The most work of the cell, a backward pass counted as two forward ones."""
    return self.examples * self.cost

  @property
  def cost(self) -> int:
    """That of one example."""
    return self.forwards + 2 * self.backwards


class DataSet(NamedTuple):
  """What is known of a data set that has been opened."""

  examples: int  # In all.
  class_names: tuple[str, ...]
  sha256: str  # Of those that are evaluated; "" where it was not to be found out.
  sample: str  # Hash of their ids.


class Plan(NamedTuple):
  """Everything a run will do."""

  cells: tuple[Cell, ...]  # Perturbation by perturbation, so that models share the images.
  absent: tuple[Absent, ...]
  data: dict[str, DataSet]


def format_epsilon(epsilon: float) -> str:
  """4/255 rather than 0.0156863, where it is such a fraction."""
  steps = round(epsilon * 255, 3)
  return f"{steps:g}/255" if abs(steps / 255 - epsilon) < 1e-9 else f"{epsilon:g}"


def where(sizes: Mapping[str, int | None]) -> str:
  """At which size images are perturbed, in words; "" if at the models' own, as is usual.

  An epsilon at another size is another threat: one that is harmless at 224 pixels may break every
  image of 32 that is enlarged inside.

  Args:
    sizes: of each model, or surrogate of transfer, `Cell.native`.
  """
  native = {name: size for name, size in sizes.items() if size}
  if not native:
    return ""
  size = next(iter(native.values()))
  text = f"at the images' own {size} x {size} pixels; the model resizes them inside"
  return text if len(native) == len(sizes) else f"{text} (only {', '.join(native)})"


def native(plan: Plan) -> Iterator[str]:
  """A sentence for each data set that is perturbed at its own size."""
  for name in plan.data:
    own = [cell for cell in plan.cells if cell.data == name]
    if found := where({cell.surrogate or cell.model: cell.native for cell in own}):
      yield f"{name}: perturbed {found}: epsilons there are not those at a model's input size"


def make(settings: config.Config, *, read: bool = True) -> Plan:
  """The cells of a checked config; reads descriptions, no weights.

  Args:
    settings: of the run.
    read: the images that will be evaluated, where their hash is not known; without it such cells
      have no fingerprint, and the plan is good to be told.

  Raises:
    InputError: a model, data set, prompt set, corruption, attack or published table is unknown, or
      an attack has no transfer.
  """
  cells: list[Cell] = []
  absent: list[Absent] = []
  opened: dict[str, DataSet] = {}
  alone = list(perturbations.of_targets(settings, absent))
  for prompts in config.prompt_sets(settings):
    models.templates(prompts)  # An unknown prompt set is an error even if no model uses it.
  for table in settings.published:
    published.check(table)
  reference = settings.corruptions.error_reference
  if reference and reference not in settings.models:
    raise errors.unknown(
      "model in --config.corruptions.error_reference", reference, settings.models
    )
  if settings.available:
    settings = _without_models(settings, absent)
  searched_on = {name: models.searched_on(name) for name in config.prompt_sets(settings)}
  for name in settings.data:
    if settings.available and (reason := data.absence(name, settings.data_root)):
      absent.append(Absent(name, reason))
      continue
    source = data.load(name, settings.data_root)
    data.check_classes(name, source)
    sample = data.sample(source, settings.limit, settings.subset)
    content = data.hash_content(source, sample, read=read)
    opened[name] = DataSet(
      len(source), tuple(source.class_names), content, data.hash_sample(source, sample)
    )
    _check_unseen(searched_on, name, [source.ids[index] for index in sample])
    targets = list(classifiers.targets(settings, source, name, absent))
    attacked = name in (settings.perturbed or settings.data)
    surrogates = list(classifiers.surrogates(settings, source, name, absent)) if attacked else []
    wanted = [*alone, *perturbations.transfers(settings, surrogates, name, absent)]
    if not attacked:
      wanted = [one for one in wanted if one.text == perturbations.CLEAN]
    elif data.has_several_labels(source):
      wanted = _without_attacks(wanted, name, absent)
    cells += [
      Cell(
        model=classifier.model,
        data=name,
        prompts=classifier.prompts,
        perturbation=perturbation.text,
        severity=perturbation.severity,
        sequence=perturbation.sequence,
        attack=perturbation.attack,
        surrogate=perturbation.surrogate and perturbation.surrogate.name,
        members=tuple(config.Member(one.model, one.prompts) for one in perturbation.members),
        knowledge=perturbation.knowledge,
        norm=perturbation.norm,
        epsilon=perturbation.epsilon,
        tolerance=perturbation.tolerance,
        preprocess=(preprocess := _preprocess(classifier, perturbation, source, settings)),
        native=_native(perturbation.surrogate or classifier, source, settings),
        size=min(preprocess.size, (perturbation.surrogate or classifier).preprocess.size),
        examples=len(sample),
        forwards=perturbation.forwards,
        backwards=perturbation.backwards,
        stream=perturbation.full,
        fingerprint=content and _fingerprint(classifier, perturbation, source, content, settings),
      )
      for perturbation in wanted
      for classifier in targets
    ]
  ids = [cell.id for cell in cells]
  if len(set(ids)) < len(ids):
    twice = next(name for name in ids if ids.count(name) > 1)
    raise errors.InputError(f"--config asks twice for {twice}")
  return Plan(tuple(cells), tuple(absent), opened)


def _check_unseen(searched_on: Mapping[str, frozenset[str]], name: str, ids: list[str]) -> None:
  """Raises InputError if prompts were searched on some of the examples that they will answer."""
  for prompts, known in searched_on.items():
    if seen := sorted(known.intersection(ids)):
      raise errors.InputError(
        f"prompts {prompts} were searched on {len(seen)} of the {len(ids)} examples of {name} that "
        f"are to be evaluated; the first is {seen[0]!r}. Evaluate on others"
      )


def _without_models(settings: config.Config, absent: list[Absent]) -> config.Config:
  """Of those that can be had on this disk."""

  def missing(model: str) -> str | None:
    try:
      models.describe(model, download=settings.download)
    except errors.InputError as error:
      return str(error)
    return None

  reasons = {model: reason for model in settings.models if (reason := missing(model))}
  absent += [Absent(model, reason) for model, reason in reasons.items()]
  kept = []
  for name, members in config.surrogates(settings).items():
    lacking = [m.model for m in members if m.model in reasons or missing(m.model)]
    if not lacking:
      kept.append(name)
    elif name not in reasons:
      absent.append(Absent(f"transfer from {name}", str(missing(lacking[0]))))
  attacked = dataclasses.replace(settings.attacks, surrogates=tuple(kept))
  if not kept:  # Without names, all models would be surrogates.
    attacked = dataclasses.replace(attacked, transfer=(), smallest_transfer=())
  there = tuple(model for model in settings.models if model not in reasons)
  return dataclasses.replace(settings, models=there, attacks=attacked)


def _without_attacks(
  wanted: list[perturbations.Perturbation], name: str, absent: list[Absent]
) -> list[perturbations.Perturbation]:
  """What can be done to a data set whose images have several right answers."""
  kept = [one for one in wanted if one.attack is None]
  if len(kept) < len(wanted):
    reason = "an attack needs one right answer, and its images have several"
    absent.append(Absent(f"attacks on {name}", reason))
  return kept


def _native(
  seen: Classifier | classifiers.Surrogate, source: data.Source, settings: config.Config
) -> int | None:
  """The size of small images that are perturbed at it, and enlarged inside what sees them."""
  size = source.image_size
  return size if settings.native and size and size < seen.preprocess.size else None


def _preprocess(
  classifier: Classifier,
  perturbation: Perturbation,
  source: data.Source,
  settings: config.Config,
) -> models.Preprocess:
  """How images are made that can be perturbed: with what the crop cuts off, if they will move."""
  seen = perturbation.surrogate or classifier
  if native := _native(seen, source, settings):
    return models.Preprocess(native)
  own = seen.preprocess
  if perturbation.moves and own.resize and not own.squash:
    return dataclasses.replace(own, size=max(own.size, own.resize))
  return own


def _fingerprint(
  classifier: Classifier,
  perturbation: Perturbation,
  source: data.Source,
  content: str,
  settings: config.Config,
) -> str:
  """A hash of everything that can change an example's row; a run's identity says which ones."""
  decisive = classifier.identity | {
    "data": content,
    "classes": list(source.class_names),  # Which words stand on images.
    "perturbation": perturbation.full,
    "epsilon": perturbation.epsilon,
    "seed": settings.seed,
    "jaxbench": jaxbench.__version__,
  }
  if perturbation.severity is not None:
    decisive["storage"] = settings.corruptions.storage
  if perturbation.epsilon is not None:
    decisive["quantize"] = settings.attacks.quantize
    decisive["search_dtype"] = settings.attacks.search_dtype
    decisive["tolerance"] = perturbation.tolerance
  preprocess = _preprocess(classifier, perturbation, source, settings)
  if preprocess != (perturbation.surrogate or classifier).preprocess:
    decisive["native"] = preprocess.size
  if perturbation.members:
    decisive["surrogates"] = [member.identity for member in perturbation.members]
  packed = json.dumps(decisive, sort_keys=True).encode()
  return hashlib.blake2b(packed, digest_size=5).hexdigest()
