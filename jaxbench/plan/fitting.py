"""What can be done to a data set, and to whom: the rest becomes absent, with the reason."""

import dataclasses
from collections.abc import Iterator, Mapping

from jaxbench import config, data
from jaxbench.plan import classifiers, perturbations
from jaxbench.plan.classifiers import Absent, Classifier
from jaxbench.plan.perturbations import (
  Clean,
  Corruption,
  Perturbation,
  TextAttack,
  Transfer,
  Universal,
  galleries,
)
from jaxbench.records import directions


def alone(
  settings: config.Config, absent: list[Absent]
) -> dict[tuple[str, ...], list[Perturbation]]:
  """What needs no other model, by the attacks that data sets ask for: mostly the same."""
  found: dict[tuple[str, ...], list[Perturbation]] = {}
  for names in dict.fromkeys(config.attacks_on(settings, name) for name in settings.data):
    asked = dataclasses.replace(settings.attacks, names=names)
    lacking: list[Absent] = []
    of_these = dataclasses.replace(settings, attacks=asked)
    found[names] = list(perturbations.of_targets(of_these, lacking))
    absent += [each for each in lacking if each not in absent]
  return found


def wanted(
  settings: config.Config,
  source: data.Source,
  name: str,
  of_targets: Mapping[tuple[str, ...], list[Perturbation]],
  absent: list[Absent],
) -> list[Perturbation]:
  """What is to be done to the images of a data set."""
  asked = of_targets[config.attacks_on(settings, name)]
  if directions.images_of(name) not in (
    settings.perturbed or map(directions.images_of, settings.data)
  ):
    return [each for each in asked if isinstance(each, Clean)]
  if isinstance(source, data.Texts):
    return [each for each in asked if isinstance(each, Clean | TextAttack)]
  if source.direction == directions.TEXT_TO_IMAGE:  # Among images that all are perturbed alike.
    kept = Clean | Corruption | Universal | TextAttack
    asked = [each for each in asked if isinstance(each, kept)]
  else:
    asked = list(_without_texts(asked, source))
  surrogates = list(classifiers.surrogates(settings, source, name, absent))
  made = perturbations.of_surrogates(settings, surrogates, name, absent)
  both = perturbations.on_both_sides(settings, surrogates, source, name, absent)
  if isinstance(source, data.Captions):
    pairs = source.pairs
    shown = (galleries.of_images(one, pairs) for one in made if isinstance(one, Transfer))
    return [*asked, *shown, *both]
  asked = [*asked, *made, *both]
  if data.has_several_labels(source):
    asked = _without_attacks(asked, name, absent)
  return asked


def _without_texts(asked: list[Perturbation], source: data.Source) -> Iterator[Perturbation]:
  """What can be done to images; attacks on texts make galleries of their captions, if any."""
  for each in asked:
    if not isinstance(each, TextAttack):
      yield each
    elif isinstance(source, data.Images):
      yield galleries.of_texts(each, source.pairs)


def targets(
  perturbation: Perturbation,
  classifiers_of_set: list[Classifier],
  source: data.Source,
  name: str,
  absent: list[Absent],
) -> list[Classifier]:
  """Those that it can be done to; the others become absent."""
  fitting, space = [], source.label_space
  if (perturbation.named and isinstance(space, data.Sentences)) or (
    perturbation.classes and isinstance(space, data.OptionSpace)
  ):
    absent.append(Absent(f"{perturbation.text} on {name}", "its images have captions, no classes"))
    return []
  for target in classifiers_of_set:
    if reason := perturbation.unfit(target):
      absent.append(Absent(f"{perturbation.text} of {target.name} on {name}", reason))
    else:
      fitting.append(target)
  return fitting


def _without_attacks(
  wanted: list[Perturbation], name: str, absent: list[Absent]
) -> list[Perturbation]:
  """What can be done to a data set whose images have several right answers."""
  kept = [perturbation for perturbation in wanted if not perturbation.one_label]
  if len(kept) < len(wanted):
    reason = "an attack needs one right answer, and its images have several"
    absent.append(Absent(f"attacks on {name}", reason))
  return kept
