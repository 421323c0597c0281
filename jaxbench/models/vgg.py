"""AlexNet (Krizhevsky, 2014, arXiv:1404.5997) and VGG (Simonyan and Zisserman, 2014,
arXiv:1409.1556): plain convolutions, then three linear layers."""

import dataclasses

import jax
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig
from jaxbench.models.layers import (
  Conv,
  FrozenBatchNorm,
  LayerList,
  Linear,
  adaptive_average_pool,
  max_pool,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlexNetConfig(ClassifierConfig):
  """Everything that shapes an AlexNet ("one weird trick", as torchvision has it)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VGGConfig(ClassifierConfig):
  """Everything that shapes a VGG; VGG-16 is depths (2, 2, 3, 3, 3)."""

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
