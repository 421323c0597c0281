"""What a prompt set is for the classes of a data set: sentences for all sets, or each set's own."""

import hashlib
import json
import re
from typing import Any, NamedTuple

from jaxbench import data, errors, models

# `own` are the first that a set has; `own(openai)`, `own(coop)` are those of a source.
_OWN = re.compile(r"own(?:\((?P<source>\w+)\))?")
_IMAGENETS = "openai_80"  # CLIP's and CLIP_benchmark's, for all sets of ImageNet's classes.


class Prompting(NamedTuple):
  """How a zero-shot classifier is built for a data set."""

  source: str  # Whose prompts they are; "" if they are nobody's own.
  class_names: tuple[str, ...]
  templates: Any  # Of `models.templates`.
  groups: Any  # The logits of each class of the data set; None: they are its classes.


def is_own(prompts: str) -> bool:
  """Whether a prompt set is another for each data set."""
  return _OWN.fullmatch(prompts) is not None


def check(prompts: str) -> None:
  """Raises InputError for a prompt set that no data set could have."""
  if not is_own(prompts):
    models.templates(prompts)


def prompting(prompts: str, space: data.LabelSpace) -> Prompting:
  """Names and sentences for the classes of a data set.

  Args:
    prompts: as `models.templates` takes them, or `own`, `own(openai)`, `own(coop)`,
      `own(clip_benchmark)`, `own(tecoa)`: those that are published for the set, with the names
      that go with them. ImageNet's classes have CLIP's eighty. Of captions, a `data.Wording`.
    space: of the data set.

  Raises:
    InputError: there is no such prompt set, or the data set has none of its own.
  """
  if isinstance(space, data.Sentences):
    return Prompting("", space.worded(prompts), ["{}"], space.prompted_groups)
  own = _OWN.fullmatch(prompts)
  if own is None:
    return Prompting("", space.prompted, models.templates(prompts), space.prompted_groups)
  for found in space.prompts:
    if own["source"] in (None, found.source):
      return Prompting(found.source, found.class_names, list(found.templates), None)
  if space.imagenet is not None and own["source"] in (None, "clip_benchmark", "openai"):
    templates = models.templates(_IMAGENETS)
    return Prompting(_IMAGENETS, space.prompted, templates, space.prompted_groups)
  known = ", ".join(f"own({found.source})" for found in space.prompts)
  raise errors.InputError(
    f"the data set has no prompts of {'its own' if own['source'] is None else own['source']}: "
    + (f"it has {known}" if known else f"name others, as {_IMAGENETS} or a file")
  )


def described(prompts: str, spaces: dict[str, data.LabelSpace]) -> Any:
  """What `run.json` says of a prompt set: its templates, or of its own for each data set."""
  if not is_own(prompts):
    return models.templates(prompts)
  found = {}
  for name, space in spaces.items():
    try:
      resolved = prompting(prompts, space)
    except errors.InputError:  # Its cells are absent, with this reason.
      continue
    names = hashlib.sha256(json.dumps(resolved.class_names).encode()).hexdigest()
    found[name] = {
      "source": resolved.source,
      "class_names_sha256": names,
      "templates": resolved.templates,
    }
  return found
