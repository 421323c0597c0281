"""Models that images for transfer are made on, as `--config.attacks.surrogates` names them."""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from jaxbench import model_names
from jaxbench.config import assigned
from jaxbench.config.schema import Config


class Member(NamedTuple):
  """A model that images for transfer are made on, alone or with others."""

  model: str
  prompts: str | None  # None: those it is first evaluated with. Of `ENCODERS`: none at all.


# In place of a prompt set: the image encoder alone, or the patch tokens in it.
EMBEDDING, TOKENS = "embedding", "tokens"
ENCODERS = (EMBEDDING, TOKENS)
_THEN = ">"  # "a>b": images are made on a, and from there on b.
_KNOWN_PROMPTS = re.compile(r"(?P<model>.+)\[(?P<prompts>[^\[\]]+)\]")


def surrogates(settings: Config) -> dict[str, tuple[Member, ...]]:
  """The models of each surrogate of a checked config, by the surrogate's name.

  Of "a>b" those of both, b on which images are made, and a on whose images that begins.
  """
  options = settings.attacks
  if not (options.transfer or options.smallest_transfer or settings.joint.names):
    return {}
  names = options.surrogates or settings.models
  return {
    name: (*start_of(name, settings), *_members(_last(name, settings), settings)) for name in names
  }


def start_of(name: str, settings: Config) -> tuple[Member, ...]:
  """The models of a surrogate that make the images which the others begin at; often none."""
  first = name.removesuffix(_last(name, settings)).removesuffix(_THEN)
  return _members(first, settings) if first else ()


def _last(name: str, settings: Config) -> str:
  """What comes after the > of a surrogate."""
  return name if name in settings.models else name.rpartition(_THEN)[2]


def _members(name: str, settings: Config) -> tuple[Member, ...]:
  if name.strip() in settings.models:
    return (Member(name.strip(), None),)
  return tuple(map(_member, _parts(name)))


def prompt_sets(settings: Config) -> tuple[str, ...]:
  """The prompt sets of the evaluation, then those that only surrogates have."""
  members = itertools.chain(*surrogates(settings).values())
  more = [member.prompts for member in members if member.prompts not in (None, *ENCODERS)]
  return tuple(dict.fromkeys([*assigned.values(settings.prompts, settings), *more]))


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
