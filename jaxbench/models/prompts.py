"""Prompt sets: the sentences that turn a class name into a zero-shot classifier."""

import json
from collections.abc import Callable, Mapping, Sequence

from etils import epath

from jaxbench import errors, tables

# One list for all classes, or each class's own sentences (CuPL, arXiv:2209.03320).
Templates = Sequence[str] | Mapping[str, Sequence[str]]


def _openai_80() -> tuple[str, ...]:
  return tuple(json.loads(tables.path("imagenet_openai_80_templates.json").read_text()))


# The subset that OpenAI's notebook found by greedy search; slightly better than all 80.
_OPENAI_7 = (
  "itap of a {}.",
  "a bad photo of the {}.",
  "a origami {}.",
  "a photo of the large {}.",
  "a {} in a video game.",
  "art of the {}.",
  "a photo of the small {}.",
)
PROMPTS: dict[str, Callable[[], tuple[str, ...]]] = {
  "class_name": lambda: ("{}",),
  "simple": lambda: ("a photo of a {}.",),
  "openai_7": lambda: _OPENAI_7,
  "openai_80": _openai_80,
}


def templates(name: str) -> Templates:
  """The prompt set `name`, for `models.zero_shot`.

  Args:
    name: a key of `PROMPTS`, or the path of a file: .txt with one template per line, .json with
      a list of templates or with a dictionary from class name to its own sentences.

  Returns:
    Templates with one "{}" each for the class name, or sentences by class name.

  Raises:
    InputError: there is no such prompt set or file, or it holds something else.
  """
  if name in PROMPTS:
    return PROMPTS[name]()
  file = epath.Path(name)
  if file.suffix not in (".txt", ".json"):
    raise errors.unknown("prompt set", name, PROMPTS)
  try:
    text = file.read_text()
    content = json.loads(text) if file.suffix == ".json" else text.splitlines()
  except (OSError, ValueError) as error:
    raise errors.InputError(f"cannot read the prompts of {file}: {error}") from error
  if isinstance(content, dict) and content and all(map(_is_sentences, content.values())):
    return {key: tuple(sentences) for key, sentences in content.items()}
  if isinstance(content, list) and _is_sentences(content):
    return tuple(line for line in content if line.strip())
  raise errors.InputError(f"{file}: neither a list of templates nor lists of sentences by class")


def imagenet_class_names() -> tuple[str, ...]:
  """The 1000 names of CLIP's ImageNet evaluation, in label order (RoZ uses the same list)."""
  return tuple(json.loads(tables.path("imagenet1k_openai_classnames.json").read_text()))


def _is_sentences(value: object) -> bool:
  return isinstance(value, list) and bool(value) and all(isinstance(line, str) for line in value)
