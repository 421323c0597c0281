"""VGG (Simonyan and Zisserman, 2014, arXiv:1409.1556)."""

import dataclasses
from typing import ClassVar

import jax
from flax import nnx

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import TIMM, TORCHVISION, Family, Timm
from jaxbench.models.parts.layers import Conv, FrozenBatchNorm, LayerList, Linear
from jaxbench.models.parts.pooling import adaptive_average_pool, max_pool
from jaxbench.models.weights.mapping import Renamings


@dataclasses.dataclass(frozen=True, kw_only=True)
class VGGConfig(ClassifierConfig):
  """Everything that shapes a VGG; VGG-16 is depths (2, 2, 3, 3, 3)."""

  activation: ClassVar[str] = "relu"

  depths: tuple[int, ...]  # Convolutions before each pooling.
  batch_norm: bool = False
  width: int = 64  # Channels of the first stage; doubled up to eight times that.
  hidden: int = 4096


class Head(nnx.Module):
  """Three linear layers on the flattened map."""

  def __init__(self, inputs: int, hidden: int, outputs: int, *, rngs: nnx.Rngs):
    self.fc1 = Linear(inputs, hidden, rngs=rngs)
    self.fc2 = Linear(hidden, hidden, rngs=rngs)
    self.fc3 = Linear(hidden, outputs, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, K]."""
    x = x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)  # Torch flattens channels first.
    return self.fc3(jax.nn.relu(self.fc2(jax.nn.relu(self.fc1(x)))))


class VGG(Classifier):
  """Stages of 3x3 convolutions, each ended by a pooling, and three linear layers."""

  def __init__(self, config: VGGConfig, *, rngs: nnx.Rngs):
    self.config, self.depths = config, config.depths
    convs, norms, inputs = [], [], 3
    for stage, depth in enumerate(config.depths):
      outputs = config.width * min(2**stage, 8)
      for _ in range(depth):
        convs.append(Conv(inputs, outputs, 3, use_bias=True, rngs=rngs))
        norms.append(FrozenBatchNorm(outputs))
        inputs = outputs
    self.convs = LayerList(convs)
    self.norms = LayerList(norms) if config.batch_norm else None
    self.head = Head(inputs * 7 * 7, config.hidden, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    index = 0
    for depth in self.depths:
      for _ in range(depth):
        x = self.convs[index](x)
        x = jax.nn.relu(x if self.norms is None else self.norms[index](x))
        index += 1
      x = max_pool(x, 2, 2)
    return self.head(adaptive_average_pool(x, 7))


def _features(config: VGGConfig) -> Renamings:
  """Positions of convolutions and norms in the sequence, activations and poolings counted."""
  renamings, index, place = [], 0, 0
  for depth in config.depths:
    for _ in range(depth):
      renamings.append((rf"^convs\.{index}\.", f"features.{place}."))
      renamings.append((rf"^norms\.{index}\.", f"features.{place + 1}."))
      index, place = index + 1, place + (3 if config.batch_norm else 2)
    place += 1
  return tuple(renamings)


_TORCHVISION_HEAD: Renamings = tuple(
  (rf"^head\.fc{i}\.", f"classifier.{place}.") for i, place in ((1, 0), (2, 3), (3, 6))
)
# The first two linear layers are convolutions.
_TIMM_HEAD: Renamings = (
  (r"^head\.fc([12])\.", r"pre_logits.fc\1."),
  (r"^head\.fc3\.", "head.fc."),
)


def _layouts(config: VGGConfig) -> dict[str, list[Renamings]]:
  features = _features(config)
  return {
    TORCHVISION: [(*features, *_TORCHVISION_HEAD)],
    TIMM: [(*features, *_TIMM_HEAD)],
  }


_DEPTHS = {
  "vgg11": (1, 1, 2, 2, 2),
  "vgg13": (2, 2, 2, 2, 2),
  "vgg16": (2, 2, 3, 3, 3),
  "vgg19": (2, 2, 4, 4, 4),
}
_NAMED = {
  name + suffix: VGGConfig(depths=depths, batch_norm=batch_norm, **imagenet())
  for name, depths in _DEPTHS.items()
  for suffix, batch_norm in (("", False), ("_bn", True))
}
FAMILY = Family(
  name="vgg",
  config=VGGConfig,
  module=VGG,
  named=_NAMED,
  sources={name: (f"timm/{name}.tv_in1k",) for name in _NAMED},
  layouts=_layouts,
  timm=Timm(names={name: (name, {}) for name in _NAMED}),
)
