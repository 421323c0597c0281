"""A config becomes an ordered list of cells: model x data set x prompt set x perturbation."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping

import jaxbench
from jaxbench import config, data, errors, models
from jaxbench.metrics import published
from jaxbench.plan import classifiers, defending, fitting, pixels, prompting
from jaxbench.plan.cells import Cell, DataSet, Plan
from jaxbench.plan.classifiers import Absent, Classifier, Surrogate
from jaxbench.plan.perturbations import Perturbation
from jaxbench.records import directions


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
  alone = fitting.alone(settings, absent)
  for prompts in config.prompt_sets(settings):
    prompting.check(prompts)  # An unknown prompt set is an error even if no model uses it.
  for name in config.others(settings):
    if name not in (known := [*data.DATA_SETS, *data.CATALOG]):
      raise errors.unknown("data set with settings of its own", name, known)
  for table in settings.published:
    published.check(table)
  pixels.asked(settings.preprocess)  # What cannot be meant is an error, not an absent cell.
  for cleaning in settings.retrieval.captions:
    data.Wording(cleaning).worded("")
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
    whole = data.load(name, settings.data_root)
    data.check_classes(name, whole)
    part = config.subset_on(settings, name)
    if not (settings.limit or part):
      data.check_whole(name, whole)
    for side, source in _sides(settings, name, whole):
      sample = data.sample(source, settings.limit, part)
      content = data.hash_content(source, sample, read=read)
      opened[side] = DataSet(
        len(source),
        tuple(source.class_names),
        source.label_space,
        content,
        data.hash_sample(source, sample),
      )
      _check_unseen(searched_on, side, [source.ids[index] for index in sample])
      targets = list(classifiers.targets(settings, source, side, absent))
      wanted = fitting.wanted(settings, source, side, alone, absent)
      for perturbation in wanted:
        perturbation.check(source, sample)
      cells += [
        _cell(settings, source, side, perturbation, target, len(sample), content)
        for perturbation in wanted
        for target in fitting.targets(perturbation, targets, source, side, absent)
      ]
  ids = [cell.id for cell in cells]
  if len(set(ids)) < len(ids):
    twice = next(name for name in ids if ids.count(name) > 1)
    raise errors.InputError(f"--config asks twice for {twice}")
  return Plan(tuple(cells), tuple(absent), opened)


def _sides(
  settings: config.Config, name: str, source: data.Source
) -> Iterator[tuple[str, data.Source]]:
  """A data set; of images with captions the images, and the captions as a set of their own."""
  if not isinstance(source, data.Images):
    yield name, source
    return
  sides = {
    directions.IMAGE_TO_TEXT: (name, source),
    directions.TEXT_TO_IMAGE: (directions.captions_of(name), data.Captions(source.pairs)),
  }
  for direction in settings.retrieval.directions:
    yield sides[direction]


def _cell(
  settings: config.Config,
  source: data.Source,
  name: str,
  perturbation: Perturbation,
  classifier: Classifier,
  examples: int,
  content: str,
) -> Cell:
  """One of a data set, with the hash of its examples."""
  seen = perturbation.seen_by(classifier)
  preprocess = _preprocess(classifier, perturbation, source, settings)
  return Cell(
    classifier=classifier,
    data=name,
    perturbation=perturbation,
    preprocess=preprocess,
    native=_native(seen, source, settings),
    size=min(preprocess.size, seen.preprocess.size),
    examples=examples,
    fingerprint=content and _fingerprint(classifier, perturbation, source, content, settings),
  )


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
      models.describe(defending.base(model), download=settings.download)
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
  attacked, joint = dataclasses.replace(settings.attacks, surrogates=tuple(kept)), settings.joint
  if not kept:  # Without names, all models would be surrogates.
    attacked = dataclasses.replace(attacked, transfer=(), smallest_transfer=())
    joint = dataclasses.replace(joint, names=())
  there = tuple(model for model in settings.models if model not in reasons)
  return dataclasses.replace(settings, models=there, attacks=attacked, joint=joint)


def _native(
  seen: Classifier | Surrogate, source: data.Source, settings: config.Config
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
  seen_by = perturbation.seen_by(classifier)
  if native := _native(seen_by, source, settings):
    return models.Preprocess(native)
  usual = seen_by.preprocess
  if perturbation.moves and usual.resize and not usual.squash:
    return dataclasses.replace(usual, size=max(usual.size, usual.resize))
  return usual


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
    "perturbation": perturbation.stream,
    "epsilon": None,  # Of an attack, in `hashed`.
    "seed": settings.seed,
    "jaxbench": jaxbench.__version__,
  }
  decisive |= perturbation.hashed(settings)
  preprocess = _preprocess(classifier, perturbation, source, settings)
  if preprocess != perturbation.seen_by(classifier).preprocess:
    decisive["native"] = preprocess.size
  packed = json.dumps(decisive, sort_keys=True).encode()
  return hashlib.blake2b(packed, digest_size=5).hexdigest()
