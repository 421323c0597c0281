"""What `list_models()` tells: of each architecture whose files are read, and of each source."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxbench.models.architectures import ARCHITECTURES, SOURCES, Config, libraries
from jaxbench.models.family import HUGGINGFACE, OPEN_CLIP, TIMM
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import origins
from jaxbench.models.weights.origins import Origin

JAXBENCH = "jaxbench"  # Our own format, which holds every architecture.


class Weights(NamedTuple):
  """What one source of weights implies; None is for its own files to tell."""

  format: str  # Whose names the tensors have.
  activation: str | None
  mean: tuple[float, float, float] | None
  std: tuple[float, float, float] | None
  preprocess: Preprocess | None


class Listing(NamedTuple):
  """One line of `list_models()`."""

  config: Config
  sources: tuple[str, ...]  # Repositories on Hugging Face, or "embedded".
  formats: tuple[str, ...]  # Read as they are, best known first.
  bridged: tuple[str, ...]  # What `load` takes to have another package build it, through torch.
  weights: Mapping[str, Weights]  # Of each of `sources`, and of each more that is known by name.


def of(name: str) -> Listing:
  """The line of one of `ARCHITECTURES`."""
  known = list(origins.of(name))
  sources = SOURCES.get(name, ())
  weights = {origin.name: _implied(origin) for origin in known if origin.complete}
  weights |= {source: _of_source(name, source, weights) for source in sources}
  bridged = dict.fromkeys(_bridge(origin) for origin in known if origin.library in _PACKAGES)
  formats = (*libraries(name), JAXBENCH)
  return Listing(ARCHITECTURES[name], sources, formats, tuple(bridged), weights)


def embedded(config: Config) -> Listing:
  """The line of a model that comes with the package."""
  weights = Weights(JAXBENCH, _activation(config), config.mean, config.std, config.preprocess)
  return Listing(config, ("embedded",), (JAXBENCH,), (), {"embedded": weights})


# Whose repositories of CLIPs are folders of transformers alone, which crops by its own rule.
_IN_TRANSFORMERS = "openai/"
_PACKAGES = (TIMM, OPEN_CLIP)  # Whose architectures are names of `load`; see `packages`.


def _bridge(origin: Origin) -> str:
  """The architecture, without the tag of weights: "timm:resnet50", "open_clip:ViT-B-32"."""
  package, _, name = origin.name.partition("/")
  return f"{package}:{name.partition('.')[0]}"


def _implied(origin: Origin) -> Weights:
  config = origin.config
  activation = _activation(config)
  return Weights(origin.library, activation, config.mean, config.std, config.preprocess)


def _of_source(name: str, source: str, known: Mapping[str, Weights]) -> Weights:
  """Of a repository: what a library lists it for, or what its own folder is to tell."""
  listed = origins.repositories().get(source, source)
  if listed in known:
    return known[listed]
  config, has = ARCHITECTURES[name], libraries(name)
  if OPEN_CLIP in has:
    ours = Weights(OPEN_CLIP, _activation(config), config.mean, config.std, config.preprocess)
    if not source.startswith(_IN_TRANSFORMERS):
      return ours
    cropped = dataclasses.replace(config.preprocess, margin="floor")
    return ours._replace(format=HUGGINGFACE, preprocess=cropped)
  return Weights(HUGGINGFACE if HUGGINGFACE in has else has[0], None, None, None, None)


def _activation(config: Any) -> str:
  """Of a tower that of its MLPs; of CLIPs both towers have the same."""
  for part in (config, getattr(config, "tower", None), getattr(config, "vision", None)):
    if found := getattr(part, "activation", None):
      return found
  return getattr(getattr(config, "text", None), "activation", "relu")
