"""AlexNet (Krizhevsky, 2014, arXiv:1404.5997), as torchvision has it."""

import dataclasses
from typing import ClassVar

import jax
from flax import nnx

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.classifiers.vgg import Head
from jaxbench.models.family import TORCHVISION, Family
from jaxbench.models.parts.layers import Conv, LayerList
from jaxbench.models.parts.pooling import adaptive_average_pool, max_pool
from jaxbench.models.weights.mapping import Renamings


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlexNetConfig(ClassifierConfig):
  """Everything that shapes an AlexNet ("one weird trick")."""

  activation: ClassVar[str] = "relu"


class AlexNet(Classifier):
  """Five convolutions and three linear layers."""

  def __init__(self, config: AlexNetConfig, *, rngs: nnx.Rngs):
    self.config = config
    self.convs = LayerList(
      [
        Conv(3, 64, 11, 4, padding=2, use_bias=True, rngs=rngs),
        Conv(64, 192, 5, use_bias=True, rngs=rngs),
        Conv(192, 384, 3, use_bias=True, rngs=rngs),
        Conv(384, 256, 3, use_bias=True, rngs=rngs),
        Conv(256, 256, 3, use_bias=True, rngs=rngs),
      ]
    )
    self.head = Head(256 * 6 * 6, 4096, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    for index, conv in enumerate(self.convs):
      x = jax.nn.relu(conv(x))
      if index in (0, 1, 4):
        x = max_pool(x, 3, 2)
    return self.head(adaptive_average_pool(x, 6))


_TORCHVISION: Renamings = (
  *((rf"^convs\.{i}\.", f"features.{place}.") for i, place in enumerate((0, 3, 6, 8, 10))),
  *((rf"^head\.fc{i}\.", f"classifier.{place}.") for i, place in ((1, 1), (2, 4), (3, 6))),
)

FAMILY = Family(
  name="alexnet",
  config=AlexNetConfig,
  module=AlexNet,
  named={"alexnet": AlexNetConfig(**imagenet())},
  sources={},
  layouts=lambda config: {TORCHVISION: [_TORCHVISION]},
)
