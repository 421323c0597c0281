"""ResNet v1.5 (He et al., 2015, arXiv:1512.03385); names follow torchvision's checkpoints."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.preprocess import Preprocess, standardize
from jaxbench.models.transformer import LayerList

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
  """Everything that shapes a ResNet; ResNet-18 is depths (2, 2, 2, 2), width 64."""

  depths: tuple[int, ...]  # Blocks per stage.
  width: int  # Channels of the first stage; each later stage doubles them.
  num_classes: int
  preprocess: Preprocess
  mean: tuple[float, float, float] = IMAGENET_MEAN
  std: tuple[float, float, float] = IMAGENET_STD


class FrozenBatchNorm(nnx.Module):
  """Batch norm on its stored statistics: an affine map per channel."""

  def __init__(self, channels: int):
    self.weight = nnx.Param(jnp.ones(channels))
    self.bias = nnx.Param(jnp.zeros(channels))
    self.running_mean = nnx.BatchStat(jnp.zeros(channels))
    self.running_var = nnx.BatchStat(jnp.ones(channels))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float32 [B, H, W, C] -> the same shape."""
    scale = self.weight[...] * jax.lax.rsqrt(self.running_var[...] + 1e-5)
    shift = self.bias[...] - self.running_mean[...] * scale
    return x * scale.reshape(1, 1, 1, -1) + shift.reshape(1, 1, 1, -1)


def conv(inputs: int, outputs: int, kernel: int, stride: int, rngs: nnx.Rngs) -> nnx.Conv:
  """A convolution without bias, padded as torch pads."""
  pad = (kernel // 2, kernel // 2)
  return nnx.Conv(
    inputs,
    outputs,
    (kernel, kernel),
    strides=(stride, stride),
    padding=(pad, pad),
    use_bias=False,
    kernel_init=nnx.initializers.he_normal(),
    rngs=rngs,
  )


class Downsample(nnx.Module):
  """The shortcut where a stage changes size."""

  def __init__(self, inputs: int, outputs: int, stride: int, *, rngs: nnx.Rngs):
    self.conv = conv(inputs, outputs, 1, stride, rngs)
    self.bn = FrozenBatchNorm(outputs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float32 [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    return self.bn(self.conv(x))


class BasicBlock(nnx.Module):
  """Two 3x3 convolutions and a shortcut."""

  def __init__(self, inputs: int, outputs: int, stride: int, *, rngs: nnx.Rngs):
    self.conv1 = conv(inputs, outputs, 3, stride, rngs)
    self.bn1 = FrozenBatchNorm(outputs)
    self.conv2 = conv(outputs, outputs, 3, 1, rngs)
    self.bn2 = FrozenBatchNorm(outputs)
    changes = stride != 1 or inputs != outputs
    self.downsample = Downsample(inputs, outputs, stride, rngs=rngs) if changes else None

  def __call__(self, x: jax.Array) -> jax.Array:
    """float32 [B, H, W, C] -> [B, H / stride, W / stride, C']."""
    shortcut = x if self.downsample is None else self.downsample(x)
    x = jax.nn.relu(self.bn1(self.conv1(x)))
    return jax.nn.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet(nnx.Module):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K].

  Example:
    >>> models.load("digits-resnet")(jnp.zeros((1, 32, 32, 3))).shape
    (1, 10)
  """

  def __init__(self, config: ResNetConfig, *, rngs: nnx.Rngs):
    self.config = config
    self.conv1 = conv(3, config.width, 7, 2, rngs)
    self.bn1 = FrozenBatchNorm(config.width)
    stages, inputs = [], config.width
    for stage, depth in enumerate(config.depths):
      outputs = config.width * 2**stage
      first = BasicBlock(inputs, outputs, 1 if stage == 0 else 2, rngs=rngs)
      rest = [BasicBlock(outputs, outputs, 1, rngs=rngs) for _ in range(depth - 1)]
      stages.append(LayerList([first, *rest]))
      inputs = outputs
    self.layers = LayerList(stages)
    self.fc = nnx.Linear(inputs, config.num_classes, rngs=rngs)

  @property
  def preprocess(self) -> Preprocess:
    """How an image file becomes this model's input."""
    return self.config.preprocess

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] at the model's size -> logits float32 [B, K]."""
    x = standardize(images, self.config.mean, self.config.std)
    x = jax.nn.relu(self.bn1(self.conv1(x)))
    x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
    for stage in self.layers:
      for block in stage:
        x = block(x)
    return self.fc(x.mean(axis=(1, 2)))
