"""What bare tensors are: an architecture is named by its source, and each source is one row.

A source is a library's name of a model with the tag of published weights ("timm/resnet50.a1_in1k",
"open_clip/ViT-L-14.laion2b_s32b_b82k") or a repository that holds them; it implies activation,
epsilon, padding, mean, std and preprocessing. A name without source stands for all its sources
that keep their tensors as the file does: it is taken where they agree.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jaxbench import tables
from jaxbench.models.architectures import ARCHITECTURES, SOURCES, Config, family, libraries
from jaxbench.models.classifiers.classifier import ClassifierConfig
from jaxbench.models.family import (
  EFFICIENTNET_LITE_PYTORCH,
  HUGGINGFACE,
  OPEN_CLIP,
  TIMM,
  TORCH_HUB,
  TORCHVISION,
)
from jaxbench.models.weights import open_clip, timm, unbuilt
from jaxbench.models.weights.sidecar import Fields

# Libraries with one set of weights for each size, which is as our configuration says.
_ONE_EACH = (TORCHVISION, EFFICIENTNET_LITE_PYTORCH, TORCH_HUB)
_SHOWN = ("mean", "std", "preprocess")  # How images come; the rest is the network.


class Origin(NamedTuple):
  """A source of weights and all that it implies."""

  name: str
  library: str  # Whose names the tensors have.
  network: Config  # As the library builds it under this name.
  config: Config  # As these weights were trained.
  complete: bool = True  # Whether the source says how images come.


def named(architecture: str) -> list[Origin]:
  """All sources that `architecture` may stand for, those of the best known library first.

  Raises:
    InputError: there is no such architecture or source.
  """
  if architecture in ARCHITECTURES:
    return list(of(architecture))
  library, _, name = architecture.partition("/")
  theirs = name if library == TIMM else architecture
  of_library = [] if library == TIMM else [row for row in of(name) if row.library == library]
  if by_name := [*_timm(lambda name: name == theirs), *of_library]:
    return by_name
  rows = [*_open_clip(), *_timm(), *_hub()]
  by_source = [row for row in rows if architecture in (row.name, row.name.partition("/")[2])]
  by_source += [
    row._replace(name=architecture) for row in rows if repositories().get(architecture) == row.name
  ]
  if not by_source:
    raise unbuilt.named(architecture, [*ARCHITECTURES, *timm.NAMES])
  return [by_source[0]._replace(network=by_source[0].config)]


def of(name: str) -> Iterator[Origin]:
  """The sources of one of our architectures."""
  config = ARCHITECTURES.get(name)
  if config is None:
    return
  has = libraries(name)
  if OPEN_CLIP in has:
    yield from list(_open_clip(name)) or [Origin(f"{OPEN_CLIP}/{name}", OPEN_CLIP, config, config)]
  for library in _ONE_EACH:
    if library in has:
      yield Origin(f"{library}/{name}", library, config, config)
  if TIMM in has:
    yield from list(_timm(lambda theirs: timm.NAMES[theirs][0] == name)) or _unpublished(name)
  if HUGGINGFACE in has:
    yield from _transformers(config, f"{HUGGINGFACE}/{name}")


@functools.cache
def _table(library: str) -> dict[str, dict[str, Any]]:
  return json.loads(tables.path(f"{library}_pretrained.json").read_text())


def _open_clip(only: str | None = None) -> Iterator[Origin]:
  for key, row in _table(OPEN_CLIP).items():
    name = open_clip.ours(key.partition(".")[0])
    if only in (None, name):
      network = ARCHITECTURES[name]
      fields = Fields(tables.path(f"{OPEN_CLIP}_pretrained.json"), row)
      config = open_clip.trained(network, fields)
      yield Origin(f"{OPEN_CLIP}/{key}", OPEN_CLIP, network, config)


def _timm(wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Origin]:
  for key, row in _table(TIMM).items():
    name = key.partition(".")[0]
    if wanted(name):
      fields = Fields(tables.path(f"{TIMM}_pretrained.json"), row)
      network = timm.named(name)
      config = dataclasses.replace(network, **timm.preprocessing(fields))
      yield Origin(f"{TIMM}/{key}", TIMM, network, config)


def _unpublished(ours: str) -> Iterator[Origin]:
  """Networks that timm builds and has no weights of."""
  for theirs, (name, _) in timm.NAMES.items():
    if name == ours:
      network = timm.named(theirs)
      yield Origin(f"{TIMM}/{theirs}", TIMM, network, network, complete=False)


def _transformers(config: Config, name: str) -> Iterator[Origin]:
  """As transformers builds a supervised model; of others, its tensors are another's, or too few."""
  row = family(config)
  if row.transformers is not None and isinstance(config, ClassifierConfig):
    network = row.transformers.built(config)
    yield Origin(name, HUGGINGFACE, network, network, complete=False)


def _hub() -> Iterator[Origin]:
  """Repositories that no library lists: CLIPs as OpenAI has them, and what transformers has."""
  listed = {*repositories(), *(f"{TIMM}/{key}" for key in _table(TIMM))}
  for name, sources in SOURCES.items():
    config = ARCHITECTURES[name]
    for repository in (each for each in sources if each not in listed):
      if OPEN_CLIP in family(config).layouts(config):
        yield Origin(repository, OPEN_CLIP, config, config)
      else:
        yield from _transformers(config, repository)


@functools.cache
def repositories() -> dict[str, str]:
  """The names of open_clip's rows by their repositories."""
  return {row["hf_hub"]: f"{OPEN_CLIP}/{key}" for key, row in _table(OPEN_CLIP).items()}


def settle(origins: list[Origin], **stated: Any) -> dict[Config, Origin]:
  """The configurations that `origins` leave open, each with one that has it.

  Args:
    origins: sources whose tensors these may be.
    stated: mean, std and preprocess, None where the user did not say. Whoever says mean and std has
      trained the network himself: it is the library's own, not that of published weights.
  """
  given = {key: value for key, value in stated.items() if value is not None}
  retrained = {"mean", "std"} <= set(given)
  configs: dict[Config, Origin] = {}
  for origin in origins:
    if not origin.complete and not set(_SHOWN) <= set(given):
      continue
    config = origin.config
    if retrained:
      config = dataclasses.replace(origin.network, preprocess=origin.config.preprocess)
    configs.setdefault(dataclasses.replace(config, **given), origin)
  return configs


def differing(configs: list[Config]) -> str:
  """Names of the fields in which configurations of one architecture differ."""
  names = [field.name for field in dataclasses.fields(configs[0])]
  differing = [name for name in names if len({getattr(config, name) for config in configs}) > 1]
  towers = {"vision": "activation", "text": "activation"}
  return ", ".join(dict.fromkeys(towers.get(name, name) for name in differing))
