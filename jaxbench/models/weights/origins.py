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

from jaxbench import errors, tables
from jaxbench.models.architectures import ARCHITECTURES, Config
from jaxbench.models.clip import CLIPConfig
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig
from jaxbench.models.siglip import SigLIPConfig
from jaxbench.models.sources import SOURCES
from jaxbench.models.transformer import TowerConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights import open_clip, timm
from jaxbench.models.weights.sidecar import Fields

TORCHVISION, OPEN_CLIP, TIMM, HUGGINGFACE = "torchvision", "open_clip", "timm", "huggingface"
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
    return list(_of(architecture))
  library, _, name = architecture.partition("/")
  theirs = name if library == TIMM else architecture
  of_library = [] if library == TIMM else [one for one in _of(name) if one.library == library]
  if by_name := [*_timm(lambda name: name == theirs), *of_library]:
    return by_name
  rows = [*_open_clip(), *_timm(), *_hub()]
  found = [one for one in rows if architecture in (one.name, one.name.partition("/")[2])]
  found += [
    one._replace(name=architecture) for one in rows if _hubs().get(architecture) == one.name
  ]
  if not found:
    raise errors.unknown("architecture", architecture, [*ARCHITECTURES, *timm.NAMES])
  return [found[0]._replace(network=found[0].config)]


def _of(name: str) -> Iterator[Origin]:
  """The sources of one of our architectures."""
  config = ARCHITECTURES.get(name)
  if isinstance(config, CLIPConfig):
    rows = list(_open_clip(name))
    yield from rows or [Origin(f"{OPEN_CLIP}/{name}", OPEN_CLIP, config, config)]
  elif config is not None and not isinstance(config, SigLIPConfig):
    yield Origin(f"{TORCHVISION}/{name}", TORCHVISION, config, config)
    yield from _timm(lambda theirs: timm.NAMES[theirs][0] == name)
    theirs = _in_transformers(config)
    yield Origin(f"{HUGGINGFACE}/{name}", HUGGINGFACE, theirs, theirs, complete=False)


@functools.cache
def _table(library: str) -> dict[str, dict[str, Any]]:
  return json.loads(tables.path(f"{library}_pretrained.json").read_text())


def _open_clip(only: str | None = None) -> Iterator[Origin]:
  for key, row in _table(OPEN_CLIP).items():
    name = key.partition(".")[0]
    if only in (None, name):
      network = ARCHITECTURES[name]
      assert isinstance(network, CLIPConfig)
      fields = Fields(tables.path(f"{OPEN_CLIP}_pretrained.json"), row)
      fields.skip("hf_hub")
      quick = fields.flag("quick_gelu", False)
      shown = open_clip.preprocessing(fields, network.preprocess.size)
      config = dataclasses.replace(network, **shown)
      config = _quick(config) if quick else config
      yield Origin(f"{OPEN_CLIP}/{key}", OPEN_CLIP, network, config)


def _quick(config: CLIPConfig) -> CLIPConfig:
  def quick(tower: Any) -> Any:
    is_tower = isinstance(tower, TowerConfig)
    return dataclasses.replace(tower, activation="quick_gelu") if is_tower else tower

  return dataclasses.replace(config, vision=quick(config.vision), text=quick(config.text))


def _timm(wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Origin]:
  for key, row in _table(TIMM).items():
    name = key.partition(".")[0]
    if wanted(name):
      fields = Fields(tables.path(f"{TIMM}_pretrained.json"), row)
      network = timm.named(name)
      config = dataclasses.replace(network, **timm.preprocessing(fields))
      yield Origin(f"{TIMM}/{key}", TIMM, network, config)


def _hub() -> Iterator[Origin]:
  """Repositories that no library lists: CLIPs as OpenAI has them, and what transformers has."""
  listed = {*_hubs(), *(f"{TIMM}/{key}" for key in _table(TIMM))}
  for name, repositories in SOURCES.items():
    config = ARCHITECTURES[name]
    for repository in (one for one in repositories if one not in listed):
      if isinstance(config, CLIPConfig):
        yield Origin(repository, OPEN_CLIP, config, config)
      elif not isinstance(config, SigLIPConfig):
        theirs = _in_transformers(config)
        yield Origin(repository, HUGGINGFACE, theirs, theirs, complete=False)


@functools.cache
def _hubs() -> dict[str, str]:
  """The names of open_clip's rows by their repositories."""
  return {row["hf_hub"]: f"{OPEN_CLIP}/{key}" for key, row in _table(OPEN_CLIP).items()}


def _in_transformers(config: Config) -> Config:
  """With the epsilons and padding of transformers' classes."""
  match config:
    case ViTConfig():
      return dataclasses.replace(config, tower=dataclasses.replace(config.tower, epsilon=1e-12))
    case ConvNeXtConfig():
      return dataclasses.replace(config, head_epsilon=1e-12)
    case EfficientNetConfig():
      return dataclasses.replace(config, epsilon=1e-3, same_padding=True)
  return config


def settle(origins: list[Origin], **told: Any) -> dict[Config, Origin]:
  """The configurations that `origins` leave open, each with one that has it.

  Args:
    origins: sources whose tensors these may be.
    told: mean, std and preprocess, None where not told. Whoever tells mean and std has trained the
      network himself: it is the library's own, not that of published weights.
  """
  given = {key: value for key, value in told.items() if value is not None}
  own = {"mean", "std"} <= set(given)
  configs: dict[Config, Origin] = {}
  for one in origins:
    if not one.complete and not set(_SHOWN) <= set(given):
      continue
    config = one.config
    if own:
      config = dataclasses.replace(one.network, preprocess=one.config.preprocess)
    configs.setdefault(dataclasses.replace(config, **given), one)
  return configs


def differing(configs: list[Config]) -> str:
  """Names of the fields in which configurations of one architecture differ."""
  names = [field.name for field in dataclasses.fields(configs[0])]
  found = [name for name in names if len({getattr(config, name) for config in configs}) > 1]
  towers = {"vision": "activation", "text": "activation"}
  return ", ".join(dict.fromkeys(towers.get(name, name) for name in found))
