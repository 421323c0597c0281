"""Bare tensors: a file without configuration, of an architecture that the user names."""

import math
import pathlib
from typing import Any

from jaxbench import errors
from jaxbench.models.architectures import ARCHITECTURES, Config
from jaxbench.models.clip import CLIPConfig
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig
from jaxbench.models.resnet import ResNetConfig
from jaxbench.models.siglip import SigLIPConfig
from jaxbench.models.vgg import AlexNetConfig, VGGConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights import checkpoint, files, mapping, origins, timm
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.files import Tensors
from jaxbench.models.weights.layouts import huggingface, openai, torchvision
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.origins import Origin
from jaxbench.models.weights.sidecar import Fields

_OPENAI = {"input_resolution", "context_length", "vocab_size"}  # What only its archives hold.


def read(path: pathlib.Path, architecture: str | None, source: str, **told: Any) -> Checkpoint:
  """The checkpoint in the file `path`; `told` are mean, std and preprocess where not None.

  Raises:
    InputError: no architecture is named, there is none of that name, it cannot come so, or its
      sources differ in what is not told.
  """
  if architecture is None:
    raise errors.InputError(
      f"{path}: bare tensors do not tell activation, normalisation or preprocessing; name the "
      "architecture (architecture=..., on the command line `python -m jaxbench.models.convert "
      "SRC DST --architecture=...`) from models.list_models()"
    )
  if isinstance(ARCHITECTURES.get(architecture), SigLIPConfig):
    raise errors.InputError(
      f"{path}: {architecture} needs the tokenizer that came with its weights; load the folder "
      "from Hugging Face, which holds both"
    )
  if told.get("mean") is not None:
    told["mean"] = Fields(path, {"mean": list(told["mean"])}).triple("mean")
  if told.get("std") is not None:
    told["std"] = Fields(path, {"std": list(told["std"])}).deviations("std")
  opened = files.open_tensors(path)
  fitting, renamings = _fitting(opened, origins.named(architecture))
  configs = origins.settle(fitting, **told)
  if len(configs) > 1:
    configs = {c: one for c, one in configs.items() if _has_shapes(opened, c, renamings)} or configs
  if len(configs) == 1:
    return Checkpoint(next(iter(configs)), path, renamings, source)
  names = list(dict.fromkeys(one.name for one in configs.values()))
  if not names:
    raise errors.InputError(
      f"{path}: tensors of transformers do not tell how images come; load their folder, or say "
      "mean=, std= and preprocess="
    )
  raise errors.InputError(
    f"{path}: {architecture} may come from {', '.join(names[:4])}{'...' if names[4:] else ''}, "
    f"which differ in {origins.differing(list(configs))}; name the source, as in architecture="
    f"{names[0]!r}, or say mean=, std= and preprocess="
  )


def _fitting(opened: Tensors, rows: list[Origin]) -> tuple[list[Origin], Renamings]:
  """The rows of the library that keeps its tensors as the file does, and how that is.

  Raises:
    InputError: the file says that its tensors are OpenAI's, and no row is.
  """
  found = set(opened.names)
  if found >= _OPENAI:
    theirs = [row._replace(network=row.config) for row in rows if _is_quick(row.config)]
    if not theirs:
      raise errors.InputError(
        f"{opened.path}: holds {', '.join(sorted(_OPENAI))}, as OpenAI's weights do, and "
        f"{rows[0].name} is not one of them; name it as in architecture='open_clip/ViT-B-32.openai'"
      )
    rows = theirs

  def missing(choice: tuple[Origin, Renamings]) -> int:
    wanted = checkpoint.names(choice[0].network)
    return sum(not found.issuperset(mapping.source(name, choice[1]).names) for name in wanted)

  firsts = {row.library: row for row in reversed(rows)}
  order = list(dict.fromkeys(row.library for row in rows))
  choices = [(firsts[name], one) for name in order for one in _layouts(name, firsts[name].network)]
  best, renamings = min(choices, key=missing)
  return [row for row in rows if row.library == best.library], renamings


def _is_quick(config: Config) -> bool:
  return isinstance(config, CLIPConfig) and config.text.activation == "quick_gelu"


def _has_shapes(opened: Tensors, config: Config, renamings: Renamings) -> bool:
  """Whether the tensors have as many elements as `config` says."""
  for name, spec in checkpoint.tensors(checkpoint.abstract(config)).items():
    parts = mapping.source(name, renamings).names
    arrays = [opened.arrays[part] for part in parts if part in opened.arrays]
    if sum(math.prod(array.shape) for array in arrays) != spec.size:
      return False
  return True


def _layouts(library: str, config: Config) -> list[Renamings]:
  """How a library may have named the tensors, best known first."""
  if library == origins.TIMM:
    return [timm.renamings(config)]
  if library == origins.HUGGINGFACE:
    return _transformers(config)
  match config:
    case CLIPConfig():
      return [openai.clip(), huggingface.clip()]
    case AlexNetConfig():
      return [torchvision.alexnet()]
    case VGGConfig():
      return [torchvision.vgg(config)]
    case ResNetConfig():
      return [torchvision.resnet()]
    case EfficientNetConfig():
      return [torchvision.efficientnet(config)]
    case ViTConfig():
      return [torchvision.vit(), torchvision.vit(first="linear_1", second="linear_2")]
    case ConvNeXtConfig():
      return [torchvision.convnext(config)]
  return []


def _transformers(config: Config) -> list[Renamings]:
  match config:
    case ResNetConfig():
      return [huggingface.resnet()]
    case ViTConfig():
      return [huggingface.vit()]
    case ConvNeXtConfig():
      return [huggingface.convnext()]
    case EfficientNetConfig():
      return [huggingface.efficientnet(config)]
  return []
