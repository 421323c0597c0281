"""Bare tensors: a file without configuration, of an architecture that the user names."""

import pathlib

from jaxbench import errors
from jaxbench.models.architectures import ARCHITECTURES, Config
from jaxbench.models.clip import CLIPConfig
from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig
from jaxbench.models.resnet import ResNetConfig
from jaxbench.models.vgg import AlexNetConfig, VGGConfig
from jaxbench.models.vit import ViTConfig
from jaxbench.models.weights import checkpoint, files, mapping
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.layouts import huggingface, openai, timm, torchvision
from jaxbench.models.weights.mapping import Renamings


def read(path: pathlib.Path, architecture: str | None, source: str) -> Checkpoint:
  """The checkpoint in the file `path`.

  Raises:
    InputError: no architecture is named, there is none of that name, or it cannot come so.
  """
  if architecture is None:
    raise errors.InputError(
      f"{path}: bare tensors do not tell activation, normalisation or preprocessing; name the "
      "architecture (architecture=..., on the command line `python -m jaxbench.models.convert "
      "SRC DST --architecture=...`) from models.list_models()"
    )
  if architecture not in ARCHITECTURES:
    raise errors.unknown("architecture", architecture, ARCHITECTURES)
  config = ARCHITECTURES[architecture]
  layouts = _layouts(config)
  if not layouts:
    raise errors.InputError(
      f"{path}: {architecture} needs the tokenizer that came with its weights; load the folder "
      "from Hugging Face, which holds both"
    )
  names = set(files.open_tensors(path).names)
  wanted = checkpoint.tensors(checkpoint.abstract(config))

  def missing(layout: Renamings) -> int:
    return sum(not names.issuperset(mapping.source(name, layout).names) for name in wanted)

  return Checkpoint(config, path, min(layouts, key=missing), source)


def _layouts(config: Config) -> list[Renamings]:
  """How a library may have named the tensors, best known first."""
  match config:
    case CLIPConfig():
      return [openai.clip(), huggingface.clip()]
    case AlexNetConfig():
      return [torchvision.alexnet()]
    case VGGConfig():
      return [torchvision.vgg(config), timm.vgg(config)]
    case ResNetConfig():
      return [torchvision.resnet(), huggingface.resnet()]
    case EfficientNetConfig():
      return [torchvision.efficientnet(config), timm.efficientnet()]
    case ViTConfig():
      old = torchvision.vit(first="linear_1", second="linear_2")
      return [torchvision.vit(), old, timm.vit()]
    case ConvNeXtConfig():
      return [torchvision.convnext(config), timm.convnext()]
  return []
