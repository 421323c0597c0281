"""Every family of networks, one row each, and every architecture that has a name."""

from jaxbench.models.classifiers import (
  alexnet,
  beit,
  convnext,
  convnext_v2,
  densenet,
  dinov2,
  dinov3,
  efficientnet,
  efficientnet_lite,
  efficientnet_v2,
  mobilenet_v2,
  mobilenet_v3,
  regnet,
  resnet,
  swin,
  swin_v2,
  vgg,
  vit,
)
from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig
from jaxbench.models.encoders import clip, eva, siglip_family
from jaxbench.models.encoders.clip import CLIP, CLIPConfig
from jaxbench.models.encoders.siglip import SigLIP, SigLIPConfig
from jaxbench.models.family import Family

Model = CLIP | SigLIP | Classifier
Config = CLIPConfig | SigLIPConfig | ClassifierConfig
FAMILIES: dict[str, Family] = {
  row.name: row
  for row in (
    clip.FAMILY,
    siglip_family.FAMILY,
    alexnet.FAMILY,
    vgg.FAMILY,
    resnet.FAMILY,
    efficientnet.FAMILY,
    efficientnet_lite.FAMILY,
    efficientnet_v2.FAMILY,
    mobilenet_v2.FAMILY,
    mobilenet_v3.FAMILY,
    regnet.FAMILY,
    densenet.FAMILY,
    vit.FAMILY,
    beit.FAMILY,
    eva.FAMILY,
    dinov2.FAMILY,
    dinov3.FAMILY,
    convnext.FAMILY,
    convnext_v2.FAMILY,
    swin.FAMILY,
    swin_v2.FAMILY,
  )
}
ARCHITECTURES: dict[str, Config] = {
  name: config for row in FAMILIES.values() for name, config in row.named.items()
}
# Repositories whose names `load` takes as they stand; any other of a known format works too.
SOURCES: dict[str, tuple[str, ...]] = {
  name: repositories for row in FAMILIES.values() for name, repositories in row.sources.items()
}


def family(config: Config) -> Family:
  """The row of `FAMILIES` that `config` belongs to."""
  return next(row for row in FAMILIES.values() if type(config) is row.config)


def libraries(name: str) -> tuple[str, ...]:
  """Whose files of the architecture `name` are read as they are, best known first."""
  config = ARCHITECTURES[name]
  row = family(config)
  return tuple(library for library in row.layouts(config) if name not in row.lacks.get(library, ()))
