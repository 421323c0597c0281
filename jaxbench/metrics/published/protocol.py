"""How published numbers were measured, as data: what one's own run is compared with."""

import json
from typing import NamedTuple

from jaxbench import tables


class Prompts(NamedTuple):
  """A prompt set."""

  name: str  # In words.
  templates: tuple[str, ...]
  source: str = ""  # Who has published them, where the templates are not known here.


class Pixels(NamedTuple):
  """From a stored image to a model's input: resize, then centre crop."""

  size: int | None = None  # Of the crop; None: the model's own.
  resize: int | None = None  # Of the short side; None: the size.
  interpolation: str = "bicubic"  # "": of images that are stored in that size, as they are.
  native: bool = False  # Perturbed at the images' own size, and resized by the model inside.


TORCHVISION = Pixels(224, 256, "bilinear")  # Of its first weights.


class Protocol(NamedTuple):
  """How the numbers of a published table were measured on one data set."""

  data: str
  examples: int | None  # None: not known.
  prompts: Prompts | None = None  # None: of supervised models.
  pixels: Pixels | None = None  # None: not known.
  subset: str = ""  # From `data.SUBSETS`, by name.
  attack: str | None = None  # Spec, in linf; searched in float32, on images that are not rounded.
  never: tuple[str, ...] = ()  # What no run can have as it was there, in words.


class Reference(NamedTuple):
  """What others measured of the same weights."""

  value: float  # Share.
  source: str
  protocol: Protocol


def openai_80() -> Prompts:
  """CLIP's ensemble for ImageNet."""
  return Prompts("openai_80", _templates("imagenet_openai_80_templates.json"))


def own_templates(data: str) -> Prompts:
  """CLIP_benchmark's for a data set other than ImageNet."""
  table = json.loads(tables.path("zero_shot_templates.json").read_text())
  templates = tuple(table[data]["clip_benchmark"])
  return Prompts(
    f"the set's own {len(templates)} template{'s' if len(templates) > 1 else ''}", templates
  )


def _templates(name: str) -> tuple[str, ...]:
  return tuple(json.loads(tables.path(name).read_text()))
