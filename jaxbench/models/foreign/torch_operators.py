"""torchax's environment, with our convolutions in place of XLA's own."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxbench.models.parts.convolution import conv_general_dilated


@functools.cache
def environment() -> Any:
  """One of our own: what people do with torchax's default one is theirs."""
  import torch
  from torchax import tensor

  made = tensor.Environment()
  torchaxs = made._get_op_or_decomp(torch.ops.aten.convolution)

  def convolution(*arguments: Any) -> Any:
    arrays = made.t2j_iso(arguments)
    ours = _convolution(*arrays)
    return made.j2t_iso(torchaxs.func(*arrays) if ours is None else ours)

  made.override_op_definition(torch.ops.aten.convolution, convolution)
  return made


def _convolution(
  images: jax.Array,
  kernel: jax.Array,
  bias: jax.Array | None,
  stride: Sequence[int],
  padding: Sequence[int],
  dilation: Sequence[int],
  transposed: bool,
  output_padding: Sequence[int],
  groups: int,
) -> jax.Array | None:
  """aten.convolution of images [B, C, H, W]; None for what is not that."""
  if transposed or images.ndim != 4:
    return None
  convolved = conv_general_dilated(
    jnp.transpose(images, (0, 2, 3, 1)),
    jnp.transpose(kernel, (2, 3, 1, 0)),
    _pair(stride),
    [(size, size) for size in _pair(padding)],
    rhs_dilation=_pair(dilation),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=groups,
  )
  convolved = jnp.transpose(convolved, (0, 3, 1, 2))
  return convolved if bias is None else convolved + bias[:, None, None]


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
  first, *others = sizes
  return first, (others[0] if others else first)
