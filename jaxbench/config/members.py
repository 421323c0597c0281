"""Models that images for transfer are made on, as `--config.attacks.surrogates` names them."""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from jaxbench import model_names
from jaxbench.config.schema import Config


class Member(NamedTuple):
  """A model that images for transfer are made on, alone or with others."""

  model: str
  prompts: str | None  # None: those it is first evaluated with. EMBEDDING: none at all.


EMBEDDING = "embedding"  # In place of a prompt set: the image encoder alone.
_KNOWN_PROMPTS = re.compile(r"(?P<model>.+)\[(?P<prompts>[^\[\]]+)\]")


def surrogates(settings: Config) -> dict[str, tuple[Member, ...]]:
  """The models of each surrogate of a checked config, by the surrogate's name."""
  if not (settings.attacks.transfer or settings.attacks.smallest_transfer):
    return {}
  return {
    name: (Member(name, None),) if name in settings.models else tuple(map(_member, _parts(name)))
    for name in settings.attacks.surrogates or settings.models
  }


def prompt_sets(settings: Config) -> tuple[str, ...]:
  """The prompt sets of the evaluation, then those that only surrogates have."""
  members = itertools.chain(*surrogates(settings).values())
  more = [member.prompts for member in members if member.prompts not in (None, EMBEDDING)]
  named = [prompts for _, prompts in _assigned(settings)]
  return tuple(dict.fromkeys([*named, *more]))


def prompts_on(settings: Config, data: str) -> tuple[str, ...]:
  """Those that zero-shot models are evaluated with on one data set: its own entries, or all."""
  pairs = list(_assigned(settings))
  own = tuple(prompts for name, prompts in pairs if name == data)
  return own or tuple(prompts for name, prompts in pairs if name is None)


def _assigned(settings: Config) -> Iterator[tuple[str | None, str]]:
  """Of each entry the data set, if it is for one alone ("imagenet=openai_80"), and the set."""
  for entry in settings.prompts:
    name, equals, prompts = entry.partition("=")
    yield (name, prompts) if equals and name in settings.data else (None, entry)


def _parts(name: str) -> Iterator[str]:
  """The models of an ensemble; a vision tower alone is part of the model before it."""
  first, *others = (part.strip() for part in name.split("+"))
  for part in others:
    prompted = _KNOWN_PROMPTS.fullmatch(part)
    if model_names.is_tower(prompted["model"] if prompted else part):
      first = f"{first}+{part}"
    else:
      yield first
      first = part
  yield first


def _member(text: str) -> Member:
  match = _KNOWN_PROMPTS.fullmatch(text)
  return Member(match["model"].strip(), match["prompts"].strip()) if match else Member(text, None)
