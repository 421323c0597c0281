"""Prompt sets: the sentences that turn a class name into a zero-shot classifier."""

import json
from collections.abc import Callable

from jaxbench import errors, tables


def _openai_80() -> tuple[str, ...]:
  return tuple(json.loads(tables.path("imagenet_openai_80_templates.json").read_text()))


PROMPTS: dict[str, Callable[[], tuple[str, ...]]] = {
  "class_name": lambda: ("{}",),
  "simple": lambda: ("a photo of a {}.",),
  "openai_80": _openai_80,
}


def templates(name: str) -> tuple[str, ...]:
  """Templates of the prompt set `name`, each with one "{}" for the class name.

  Raises:
    InputError: there is no such prompt set.
  """
  if name not in PROMPTS:
    raise errors.unknown("prompt set", name, PROMPTS)
  return PROMPTS[name]()
