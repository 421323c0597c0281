"""ConvNeXt as the image tower of a CLIP, as open_clip has it of timm."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.classifiers.convnext import FAMILY, TIMM_TRUNK, Trunk
from jaxbench.models.family import Sized, Tower
from jaxbench.models.family import Trunk as Built
from jaxbench.models.parts.layers import ACTIVATIONS, LayerNorm, Linear, Network
from jaxbench.models.weights import mapping
from jaxbench.models.weights.mapping import Renamings


@dataclasses.dataclass(frozen=True)
class ConvNeXtTowerConfig:
  """What shapes the tower; B is (3, 3, 27, 3) blocks of (128, 256, 512, 1024)."""

  depths: tuple[int, ...]  # Blocks per stage.
  widths: tuple[int, ...]  # Channels per stage.
  epsilon: float  # Of layer norms.
  hidden: bool = False  # Whether the projection is an MLP, twice as wide as what it gives.
  bias: bool = False  # Of the (last layer of the) projection.


class ConvNeXtTower(Trunk, Network):
  """The trunk; the mean over positions, normed; the projection."""

  def __init__(self, config: Any, *, rngs: nnx.Rngs):
    tower, outputs = config.vision, config.embed_dim
    super().__init__(tower.depths, tower.widths, epsilon=tower.epsilon, rngs=rngs)
    self.mean, self.std = config.mean, config.std
    width = tower.widths[-1]
    self.head_norm = LayerNorm(width, tower.epsilon)
    self.hidden = Linear(width, 2 * outputs, rngs=rngs) if tower.hidden else None
    width = 2 * outputs if tower.hidden else width
    self.proj = Linear(width, outputs, use_bias=tower.bias, rngs=rngs)

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> float32 [B, D]."""
    x = self.features(self.standardize(images, self.mean, self.std))
    x = self.head_norm(x.mean(axis=(1, 2)))
    if self.hidden is not None:
      x = ACTIVATIONS["gelu"](self.hidden(x))
    return self.proj(x).astype(jnp.float32)


def _built(config: ConvNeXtTowerConfig, trunk: Built) -> ConvNeXtTowerConfig:
  trunk.require(pool=("", "avg"), projection=("linear", "mlp"))
  return dataclasses.replace(config, hidden=trunk.projection == "mlp", bias=trunk.bias)


def _layout(config: ConvNeXtTowerConfig) -> Renamings:
  return (
    (r"^visual\.hidden\.", "visual.head.mlp.fc1."),
    (r"^visual\.proj\.", "visual.head.mlp.fc2." if config.hidden else "visual.head.proj."),
    (r"^visual\.(?!head\.)", "visual.trunk."),
    *mapping.under("visual.trunk.", (*TIMM_TRUNK, (r"^head_norm\.", "head.norm."))),
  )


SIZES: dict[str, ConvNeXtTowerConfig] = {
  f"convnext_{size}": ConvNeXtTowerConfig(config.depths, config.widths, config.epsilon)
  for size in ("tiny", "small", "base", "large", "xlarge", "xxlarge")
  for config in (FAMILY.named[f"convnext_{size}"],)
}
TOWER = Tower(
  config=ConvNeXtTowerConfig,
  module=ConvNeXtTower,
  layout=_layout,
  timm={name: Sized(config) for name, config in SIZES.items()},
  built=_built,
)
