"""Every image tower of a CLIP, one row each; a new one is a row and a member of `VisionConfig`."""

from jaxbench.models.encoders import (
  convnext_tower,
  eva,
  fastvit,
  modified_resnet,
  vision_transformer,
  vitamin,
)
from jaxbench.models.encoders.convnext_tower import ConvNeXtTowerConfig
from jaxbench.models.encoders.fastvit import FastViTConfig
from jaxbench.models.encoders.modified_resnet import ModifiedResNetConfig
from jaxbench.models.encoders.vitamin import ViTaminConfig
from jaxbench.models.family import Sized, Tower
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.parts.vit_trunk import ViTTrunkConfig

VisionConfig = (
  TowerConfig
  | ModifiedResNetConfig
  | ConvNeXtTowerConfig
  | ViTTrunkConfig
  | ViTaminConfig
  | FastViTConfig
)
TOWERS: tuple[Tower, ...] = (
  vision_transformer.TOWER,
  modified_resnet.TOWER,
  convnext_tower.TOWER,
  eva.TOWER,
  vitamin.TOWER,
  fastvit.TOWER,
)
# By open_clip's `timm_model_name`.
TRUNKS: dict[str, tuple[Tower, Sized]] = {
  name: (row, sized) for row in TOWERS for name, sized in row.timm.items()
}


def tower(config: VisionConfig) -> Tower:
  """The row of `TOWERS` that `config` belongs to."""
  return next(row for row in TOWERS if type(config) is row.config)
