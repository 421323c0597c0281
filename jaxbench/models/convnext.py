"""ConvNeXt (Liu et al., 2022, arXiv:2201.03545)."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig
from jaxbench.models.layers import ACTIVATIONS, Conv, LayerList, LayerNorm, Linear


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvNeXtConfig(ClassifierConfig):
  """Everything that shapes a ConvNeXt; T is (3, 3, 9, 3) blocks of (96, 192, 384, 768)."""

  depths: tuple[int, ...]  # Blocks per stage.
  widths: tuple[int, ...]  # Channels per stage.
  head_epsilon: float = 1e-6  # Of the last layer norm.


class Block(nnx.Module):
  """A 7x7 convolution of each channel, then an MLP at each position, scaled and added."""

  def __init__(self, width: int, *, rngs: nnx.Rngs):
    self.depthwise = Conv(width, width, 7, groups=width, use_bias=True, rngs=rngs)
    self.norm = LayerNorm(width, 1e-6)
    self.fc1 = Linear(width, 4 * width, rngs=rngs)
    self.fc2 = Linear(4 * width, width, rngs=rngs)
    self.gamma = nnx.Param(jnp.full(width, 1e-6))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    y = self.norm(self.depthwise(x))
    y = self.fc2(ACTIVATIONS["gelu"](self.fc1(y)))
    return x + y * self.gamma[...].astype(x.dtype).reshape(1, 1, 1, -1)


class Downsample(nnx.Module):
  """Between two stages: layer norm, then 2x2 patches."""

  def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
    self.norm = LayerNorm(inputs, 1e-6)
    self.conv = Conv(inputs, outputs, 2, 2, padding=0, use_bias=True, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / 2, W / 2, C']."""
    return self.conv(self.norm(x))


class ConvNeXt(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: ConvNeXtConfig, *, rngs: nnx.Rngs):
    self.config, widths = config, config.widths
    self.stem = Conv(3, widths[0], 4, 4, padding=0, use_bias=True, rngs=rngs)
    self.stem_norm = LayerNorm(widths[0], 1e-6)
    steps = itertools.pairwise(widths)
    self.downsamples = LayerList([Downsample(one, two, rngs=rngs) for one, two in steps])
    self.stages = LayerList(
      [
        LayerList([Block(width, rngs=rngs) for _ in range(depth)])
        for depth, width in zip(config.depths, widths, strict=True)
      ]
    )
    self.head_norm = LayerNorm(widths[-1], config.head_epsilon)
    self.fc = Linear(widths[-1], config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = self.stem_norm(self.stem(x))
    for index, stage in enumerate(self.stages):
      x = x if index == 0 else self.downsamples[index - 1](x)
      for block in stage:
        x = block(x)
    return self.fc(self.head_norm(x.mean(axis=(1, 2))))
