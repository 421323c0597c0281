"""Convolutions that were trained side by side and are one (Ding et al., 2021, arXiv:2101.03697)."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.parts.convolution import convolve
from jaxbench.models.parts.layers import Conv, FrozenBatchNorm, LayerList

Affine = tuple[jax.Array, jax.Array]  # A kernel float32 [h, h, I / groups, O], and [O], added.


class Branches(nnx.Module):
  """Convolutions of several sizes and what they are given, each behind a batch norm, added up.

  All of that is linear: the branches, which checkpoints keep as they were trained, are folded into
  one convolution where the network is traced, in float32 and exactly up to rounding.

  Args:
    inputs: channels.
    outputs: channels, a multiple of `inputs` with `alone`.
    sizes: of the kernels, the largest first.
    stride: of all.
    alone: whether each channel is seen by itself.
    skip: whether what is given is added, too; `outputs` equals `inputs` then.
    rngs: of the weights.
  """

  def __init__(
    self,
    inputs: int,
    outputs: int,
    sizes: Sequence[int],
    stride: int = 1,
    *,
    alone: bool = False,
    skip: bool = False,
    rngs: nnx.Rngs,
  ):
    self.stride, self.groups = stride, inputs if alone else 1
    self.convs = LayerList(
      [Conv(inputs, outputs, size, groups=self.groups, rngs=rngs) for size in sizes]
    )
    self.norms = LayerList([FrozenBatchNorm(outputs) for _ in sizes])
    self.skip = FrozenBatchNorm(outputs) if skip else None

  def folded(self) -> Affine:
    """The one convolution."""
    first, *others = (_behind(*pair) for pair in zip(self.convs, self.norms, strict=True))
    kernel, bias = first
    for smaller, shift in others:
      margin = (len(kernel) - len(smaller)) // 2
      kernel += jnp.pad(smaller, (*[(margin, margin)] * 2, (0, 0), (0, 0)))
      bias += shift
    if self.skip is not None:
      scale, shift = self.skip.affine()
      kernel, bias = add_scaled(kernel, scale), bias + shift
    return kernel, bias

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, I] -> [B, H / stride, W / stride, O]."""
    return run(x, self.folded(), self.stride, self.groups)


def run(x: jax.Array, affine: Affine, stride: int, groups: int) -> jax.Array:
  """float [B, H, W, I] -> [B, H / stride, W / stride, O]."""
  kernel, bias = (array.astype(x.dtype) for array in affine)
  return convolve(x, kernel, stride, len(kernel) // 2, groups) + bias.reshape(1, 1, 1, -1)


def add_scaled(kernel: jax.Array, scale: jax.Array) -> jax.Array:
  """The kernel that gives each channel, besides, its own input times `scale` [O]."""
  middle = len(kernel) // 2
  one = scale[None] if kernel.shape[2] == 1 else jnp.diag(scale)
  return kernel.at[middle, middle].add(one)


def _behind(conv: Conv, norm: FrozenBatchNorm) -> Affine:
  """A convolution with the batch norm behind it."""
  scale, shift = norm.affine()
  return conv.kernel[...].astype(jnp.float32) * scale.reshape(1, 1, 1, -1), shift
