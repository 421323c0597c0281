"""Class names and prompts of the sets, by published tables (third_party/README.md)."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jaxbench import tables
from jaxbench.data.label_space import CLIP_BENCHMARK, COOP, OPENAI, TECOA, LabelSpace, Prompts
from jaxbench.data.zero_shot import tecoa

# Sets whose names OpenAI and CLIP_benchmark write alike; of others OpenAI's are in the table, or
# are not known here.
_ALIKE = ("cars",)


def space(classes: str, templates: str | None = None) -> LabelSpace:
  """The classes of a set, as its files and its papers write them.

  Args:
    classes: the set's key in the table of names.
    templates: that in the table of templates; by default the same.
  """
  entry = _table("class_names")[classes]
  names = entry.get("clip_benchmark") or entry.get("tfds") or entry[OPENAI]
  openai = names if classes in _ALIKE else entry.get(OPENAI)
  written = {CLIP_BENCHMARK: names, OPENAI: openai, COOP: entry.get(COOP, names), TECOA: names}
  return LabelSpace(
    tuple(names),
    written=tuple(entry["keys"]),
    prompts=prompts(templates or classes, written),
  )


def as_stored(name: str, names: Sequence[str]) -> LabelSpace:
  """The classes of CIFAR or STL-10 as their files have them, and what each source asks.

  CLIP_benchmark leaves CIFAR-100's underscores ("aquarium_fish"); OpenAI has blanks.
  """
  spoken = tuple(each.replace("_", " ") for each in names)
  kept = tuple(each.replace(" ", "_") for each in names) if name == "cifar100" else spoken
  own = prompts(name, {CLIP_BENCHMARK: kept, OPENAI: spoken, TECOA: spoken})
  return LabelSpace(spoken, prompts=own)


def prompts(key: str, names: Mapping[str, Sequence[str] | None]) -> tuple[Prompts, ...]:
  """What each source asks of a set, if it has templates for it and its names are known.

  Args:
    key: of the set in the tables of templates.
    names: [K] of the classes, by source.
  """
  found = _table("templates").get(key, {})
  templates = {name: tuple(found.get(name) or ()) for name in (CLIP_BENCHMARK, OPENAI, COOP)}
  templates[TECOA] = (tecoa.TEMPLATES[key],) if key in tecoa.TEMPLATES else ()
  known = [name for name in templates if templates[name] and names.get(name)]
  return tuple(
    Prompts(name, _spelled(name, key, names[name] or ()), templates[name]) for name in known
  )


def _spelled(source: str, key: str, names: Sequence[str]) -> tuple[str, ...]:
  return tecoa.names(key, names) if source == TECOA else tuple(names)


def folders(classes: str) -> tuple[str, ...]:
  """The folder of each class, or the text that stands for it, in label order."""
  return tuple(_table("class_names")[classes]["keys"])


@functools.cache
def _table(name: str) -> dict[str, Any]:
  return json.loads(tables.path(f"zero_shot_{name}.json").read_text())
