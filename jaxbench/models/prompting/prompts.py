"""Prompt sets: what turns a class name into a zero-shot classifier, sentences most often."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from etils import epath

from jaxbench import errors, tables
from jaxbench.models.encoders import tokenizer
from jaxbench.models.prompting.context import (
  ContextPrompts,
  EncoderPrompts,
  SoftPrompts,
  TokenPrompts,
)

# One list for all classes, or each class's own sentences (CuPL, arXiv:2209.03320); or no sentences.
Templates = Sequence[str] | Mapping[str, Sequence[str]] | ContextPrompts


def _openai_80() -> tuple[str, ...]:
  return tuple(json.loads(tables.path("imagenet_openai_80_templates.json").read_text()))


def _roz_auto() -> EncoderPrompts:
  """Those most frequent in the log of RoZ's search for each encoder, as many as it ensembles."""
  table = json.loads(gzip.decompress(tables.path("roz_clip_auto_prompts.json.gz").read_bytes()))
  encoders = {}
  for name, log in table["models"].items():
    ids = tuple(tuple(prompt["tokens"]) for prompt in log["prompts"][: log["used"]])
    encoders[f"{name.replace('/', '-')}-quickgelu"] = TokenPrompts(ids)
  return EncoderPrompts(encoders)


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
PROMPTS: dict[str, Callable[[], Templates]] = {
  "class_name": lambda: ("{}",),
  "simple": lambda: ("a photo of a {}.",),
  "openai_7": lambda: _OPENAI_7,
  "openai_80": _openai_80,
  "roz_auto": _roz_auto,  # CLIP-Auto: the encoder's own, for the six of OpenAI's that RoZ has.
}


def templates(name: str) -> Templates:
  """The prompt set `name`, for `models.zero_shot`.

  Args:
    name: a key of `PROMPTS`, or the path of a file: .txt with one template per line, .json with
      a list of templates, with a dictionary from class name to its own sentences, or as a search
      for prompts writes it (configs/clip_auto.py).

  Returns:
    Templates with one "{}" each for the class name, sentences by class name, or tokens or vectors
    that go before the name.

  Raises:
    InputError: there is no such prompt set or file, or it holds something else.
  """
  if name in PROMPTS:
    return PROMPTS[name]()
  file = epath.Path(name)
  if file.suffix not in (".txt", ".json"):
    raise errors.unknown("prompt set", name, PROMPTS)
  content = _read(file)
  if isinstance(content, dict) and _is_searched(content.get("prompts")):
    return _searched(file, content)
  if isinstance(content, dict) and content and all(map(_is_sentences, content.values())):
    return {key: tuple(sentences) for key, sentences in content.items()}
  if isinstance(content, list) and _is_sentences(content):
    return tuple(line for line in content if line.strip())
  raise errors.InputError(f"{file}: neither a list of templates nor lists of sentences by class")


def searched_on(name: str) -> frozenset[str]:
  """Ids of the examples that the prompts of a file were searched on; none of other prompt sets."""
  if name in PROMPTS or not name.endswith(".json"):
    return frozenset()
  content = _read(epath.Path(name))
  searched = content.get("data") if isinstance(content, dict) else None
  return frozenset(searched.get("ids", ()) if isinstance(searched, dict) else ())


def _read(file: epath.Path) -> Any:
  try:
    text = file.read_text()
    return json.loads(text) if file.suffix == ".json" else text.splitlines()
  except (OSError, ValueError) as error:
    raise errors.InputError(f"cannot read the prompts of {file}: {error}") from error


def _searched(file: epath.Path, content: dict[str, Any]) -> TokenPrompts | SoftPrompts:
  """Prompts of tokens ("ids") or of vectors ("vectors"), all of one length."""
  kind = "ids" if "ids" in content["prompts"][0] else "vectors"
  try:
    prompts = tuple(tuple(prompt[kind]) for prompt in content["prompts"])
    (_,) = {len(prompt) for prompt in prompts} - {0}
    if kind == "ids" and all(token in range(tokenizer.START) for ids in prompts for token in ids):
      return TokenPrompts(prompts)
    if kind == "vectors":
      vectors = tuple(tuple(tuple(map(float, row)) for row in prompt) for prompt in prompts)
      (_,) = {len(row) for prompt in vectors for row in prompt} - {0}
      return SoftPrompts(vectors, content["model"]["sha256"])
  except (KeyError, TypeError, ValueError):
    pass
  raise errors.InputError(
    f'{file}: its "prompts" must have "ids" below {tokenizer.START}, or "vectors" and the "sha256" '
    'of their "model", as many in each'
  )


def imagenet_class_names() -> tuple[str, ...]:
  """The 1000 names of CLIP's ImageNet evaluation, in label order (RoZ uses the same list)."""
  return tuple(json.loads(tables.path("imagenet1k_openai_classnames.json").read_text()))


def _is_sentences(value: object) -> bool:
  return isinstance(value, list) and bool(value) and all(isinstance(line, str) for line in value)


def _is_searched(value: object) -> bool:
  return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
