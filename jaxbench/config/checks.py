"""Whether settings can be meant, and in their proper types; errors name the fields."""

import dataclasses
import math
import re
from typing import Any

from jaxbench import errors
from jaxbench.config.assigned import entries
from jaxbench.config.lists import read_names, read_numbers
from jaxbench.config.precision import search_dtype
from jaxbench.config.schema import (
  AUTO,
  AUTO_DTYPE,
  BFLOAT16,
  FLOAT32,
  Attacks,
  Config,
  Corruptions,
  PromptSearch,
  Retrieval,
  Training,
)
from jaxbench.records.directions import DIRECTIONS

_SHARE = re.compile(r"(?!0*(\.0*)?%)\d{1,2}(\.\d+)?%|100%")
_LARGEST_SEED = 2**32 - 1  # Of what is larger, keys hold the last 32 bits.


def check_argument(argument: str, *known: str) -> None:
  """Raises InputError for what a config does not take after its name, as `tiny` in FILE:tiny.

  Args:
    argument: as `get_config` has it.
    known: those that it takes; "" is none.
  """
  if argument not in known:
    raise errors.unknown("argument of this config", argument, filter(None, known))


def checked(settings: Config) -> Config:
  """A copy of `settings` with every list in its proper type, and the dtype of searches chosen.

  The command line makes strings of `4/255` and of `a,b`; here they become what was meant.

  Raises:
    InputError: a value is wrong; the message names the field.
  """
  settings = _typed(settings)
  for field in ("models", "data"):
    if not getattr(settings, field):
      raise errors.InputError(f"--config.{field} is empty: name at least one")
  _check_seed(settings.seed)
  least = {"slots": AUTO, "block": 1, "gallery": 0, "evaluations": 1}
  for field, smallest in least.items():
    _check_whole(field, getattr(settings, field), smallest)
  if not (isinstance(limit := settings.limit, str) and _SHARE.fullmatch(limit)):
    _check_whole("limit", limit, 0, ", or a share, as 1%")
  if not (isinstance(settings.unreadable, float | int) and 0 <= settings.unreadable <= 1):
    raise errors.InputError(f"--config.unreadable={settings.unreadable!r} is a share, 0 to 1")
  if bool(settings.stylization.weights) != bool(settings.stylization.paintings):
    raise errors.InputError("--config.stylization needs both weights and paintings")
  for field in ("native", "available", "download"):
    _check_bool(field, getattr(settings, field))
  for name in settings.perturbed:
    if name not in settings.data:
      raise errors.unknown("data set in --config.perturbed", name, settings.data)
  _check_corruptions(settings.corruptions)
  _check_attacks(settings.attacks)
  _check_retrieval(settings.retrieval)
  if settings.joint.names and not settings.attacks.epsilons:
    raise _no_epsilon()
  if settings.attacks.search_dtype != AUTO_DTYPE:
    return settings
  attacked = dataclasses.replace(settings.attacks, search_dtype=search_dtype(settings))
  return dataclasses.replace(settings, attacks=attacked)


def _typed(settings: Config) -> Config:
  """With lists of what they shall hold, whatever was written."""
  corruptions, attacks = settings.corruptions, settings.attacks
  retrieval = settings.retrieval
  return dataclasses.replace(
    settings,
    models=read_names("models", settings.models),
    data=read_names("data", settings.data),
    perturbed=read_names("perturbed", settings.perturbed),
    prompts=entries("prompts", settings.prompts),
    typography=read_names("typography", settings.typography),
    certificates=read_names("certificates", settings.certificates),
    published=read_names("published", settings.published),
    subset=",".join(entries("subset", settings.subset)),
    universal=dataclasses.replace(
      settings.universal, paths=read_names("universal.paths", settings.universal.paths)
    ),
    text_attacks=dataclasses.replace(
      settings.text_attacks,
      names=read_names("text_attacks.names", settings.text_attacks.names),
    ),
    joint=dataclasses.replace(
      settings.joint, names=read_names("joint.names", settings.joint.names)
    ),
    retrieval=dataclasses.replace(
      retrieval,
      directions=read_names("retrieval.directions", retrieval.directions),
      captions=read_names("retrieval.captions", retrieval.captions),
    ),
    corruptions=dataclasses.replace(
      corruptions,
      names=read_names("corruptions.names", corruptions.names),
      severities=read_numbers("corruptions.severities", corruptions.severities, int),
      sequences=read_names("corruptions.sequences", corruptions.sequences),
    ),
    attacks=dataclasses.replace(
      attacks,
      names=entries("attacks.names", attacks.names),
      targeted=read_names("attacks.targeted", attacks.targeted),
      targets=read_names("attacks.targets", attacks.targets),
      smallest=read_names("attacks.smallest", attacks.smallest),
      transfer=read_names("attacks.transfer", attacks.transfer),
      smallest_transfer=read_names("attacks.smallest_transfer", attacks.smallest_transfer),
      surrogates=read_names("attacks.surrogates", attacks.surrogates),
      epsilons=read_numbers("attacks.epsilons", attacks.epsilons, float),
    ),
  )


def _check_corruptions(corruptions: Corruptions) -> None:
  if corruptions.names and not corruptions.severities:
    raise errors.InputError("--config.corruptions.severities is empty: name at least one of 1 to 5")
  if not all(1 <= severity <= 5 for severity in corruptions.severities):
    raise errors.InputError("--config.corruptions.severities go from 1 to 5")
  if corruptions.difficulty not in (1, 2, 3):
    raise errors.InputError("--config.corruptions.difficulty is 1, 2 or 3")


def _check_attacks(attacks: Attacks) -> None:
  if attacks.search_dtype not in (dtypes := (AUTO_DTYPE, FLOAT32, BFLOAT16)):
    raise errors.unknown("--config.attacks.search_dtype", attacks.search_dtype, dtypes)
  _check_bool("attacks.quantize", attacks.quantize)
  if not all(epsilon >= 0 for epsilon in attacks.epsilons):
    raise errors.InputError("--config.attacks.epsilons: a radius is not negative")
  specs = attacks.names or attacks.targeted or attacks.smallest
  specs = specs or attacks.transfer or attacks.smallest_transfer
  if not specs and max(attacks.epsilons, default=0) > 1:
    raise not_in_pixels()
  if not attacks.tolerance > 0:
    raise errors.InputError("--config.attacks.tolerance must be > 0, in [0, 1] pixel units")
  if specs and not attacks.epsilons:
    raise _no_epsilon()
  if attacks.targeted and not attacks.targets:
    raise errors.InputError("--config.attacks.targets is empty: name at least one, as random")


def _no_epsilon() -> errors.InputError:
  return errors.InputError("--config.attacks.epsilons is empty: name at least one")


def _check_retrieval(retrieval: Retrieval) -> None:
  for name in retrieval.directions:
    if name not in DIRECTIONS:
      raise errors.unknown("direction in --config.retrieval.directions", name, DIRECTIONS)
  for field in ("directions", "captions"):
    if not getattr(retrieval, field):
      raise errors.InputError(f"--config.retrieval.{field} is empty: name at least one")


def checked_search(settings: PromptSearch) -> PromptSearch:
  """A copy of a search's settings with every list in its proper type, as `checked` makes it.

  Raises:
    InputError: a value is wrong; the message names the field.
  """
  settings = dataclasses.replace(
    settings,
    corruptions=read_names("corruptions", settings.corruptions),
    severities=read_numbers("severities", settings.severities, int),
    attacks=read_names("attacks", settings.attacks),
    epsilons=read_numbers("epsilons", settings.epsilons, float),
    prompts=read_names("prompts", settings.prompts),
  )
  least = {"limit": 0, "candidates": 1, "iterations": 0, "ensemble": 1, "soft_steps": 0}
  _check_seed(settings.seed)
  for field, smallest in (least | {"slots": 1}).items():
    _check_whole(field, getattr(settings, field), smallest)
  if not all(1 <= severity <= 5 for severity in settings.severities):
    raise errors.InputError("--config.severities go from 1 to 5")
  _check_rates(settings, "soft_learning_rate")
  if not all(0 <= epsilon <= 1 for epsilon in settings.epsilons):
    raise errors.InputError("--config.epsilons are in [0, 1] pixel units: write 4/255")
  return settings


def not_in_pixels() -> errors.InputError:
  """The error for an epsilon of linf that is beyond all pixels; other norms have larger ones."""
  return errors.InputError(
    "--config.attacks.epsilons are in [0, 1] pixel units: write 4/255 for four grey levels"
  )


def checked_training(settings: Training) -> Training:
  """The same settings.

  Raises:
    InputError: a value is wrong; the message names the field.
  """
  _check_seed(settings.seed)
  for field, smallest in {"batch_size": 1, "steps": 2, "robust_steps": 2}.items():
    _check_whole(field, getattr(settings, field), smallest)
  _check_rates(settings, "learning_rate", "robust_learning_rate", "robust_epsilon", "weight_decay")
  return settings


def _check_rates(settings: Training | PromptSearch, *fields: str) -> None:
  for field in fields:
    if not 0 <= (value := getattr(settings, field)) < math.inf:
      raise errors.InputError(f"--config.{field}={value!r} must be a number >= 0")


def _check_seed(value: Any) -> None:
  _check_whole("seed", value, 0)
  if value > _LARGEST_SEED:
    raise errors.InputError(f"--config.seed={value!r} must be at most {_LARGEST_SEED}")


def _check_bool(field: str, value: Any) -> None:
  if not isinstance(value, bool):
    raise errors.InputError(f"--config.{field}={value!r} must be True or False")


def _check_whole(field: str, value: Any, least: int, other: str = "") -> None:
  if not isinstance(value, int) or value < least:
    raise errors.InputError(f"--config.{field}={value!r} must be a whole number >= {least}{other}")
