"""torchax's environment, with code of our own where that is faster."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxbench.models.parts.convolution import conv_general_dilated, convolve
from jaxbench.models.parts.layers import ACTIVATIONS, layer_norm
from jaxbench.models.parts.pooling import max_pool


@functools.cache
def environment() -> Any:
  """One of our own: what people do with torchax's default one is theirs."""
  import torch
  from torchax import tensor

  made = tensor.Environment()
  ours: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.convolution: _convolution,
    torch.ops.aten.gelu: _gelu,
    torch.ops.aten.native_layer_norm: _layer_norm,
    torch.nn.functional.max_pool2d: _max_pool,
  }
  for operator, function in ours.items():
    made.override_op_definition(operator, _preferred(made, operator, function))
  return made


def _preferred(made: Any, operator: Any, ours: Callable[..., Any]) -> Any:
  """Ours, and torchax's for whatever ours gives None."""
  torchaxs = made._get_op_or_decomp(operator).func

  def run(*arguments: Any, **options: Any) -> Any:
    arrays, named = made.t2j_iso((arguments, options))
    found = ours(*arrays, **named)
    return made.j2t_iso(torchaxs(*arrays, **named) if found is None else found)

  return run


def kept(weight: jax.Array) -> jax.Array:
  """Weights as programs take them: kernels [O, I, h, w] as [h, w, I, O], which costs a copy."""
  return jnp.transpose(weight, (2, 3, 1, 0)) if weight.ndim == 4 else weight


def as_in_torch(weight: jax.Array) -> jax.Array:
  """The inverse of `kept`, which XLA cancels against what `_convolution` does."""
  return jnp.transpose(weight, (3, 2, 0, 1)) if weight.ndim == 4 else weight


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
  images, kernel = jnp.transpose(images, (0, 2, 3, 1)), kept(kernel)
  strides, margins, dilations = (_pair(sizes) for sizes in (stride, padding, dilation))
  square = kernel.shape[:2] == kernel.shape[1::-1] and all(
    one == other for one, other in (strides, margins)
  )
  if square and dilations == (1, 1):
    convolved = convolve(images, kernel, strides[0], margins[0], groups)
  else:
    convolved = conv_general_dilated(
      images,
      kernel,
      strides,
      [(size, size) for size in margins],
      rhs_dilation=dilations,
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
      feature_group_count=groups,
    )
  convolved = jnp.transpose(convolved, (0, 3, 1, 2))
  return convolved if bias is None else convolved + bias[:, None, None]


def _gelu(x: jax.Array, *, approximate: str = "none") -> jax.Array:
  return ACTIVATIONS["gelu_tanh" if approximate == "tanh" else "gelu"](x)


def _layer_norm(
  x: jax.Array,
  normalized_shape: Sequence[int],
  weight: jax.Array | None,
  bias: jax.Array | None,
  eps: float,
) -> tuple[jax.Array, jax.Array, jax.Array] | None:
  """aten.native_layer_norm of the last axis, with mean and rstd; None for what is not that."""
  if len(normalized_shape) != 1 or weight is None or bias is None:
    return None
  mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
  return layer_norm(x, weight, bias, eps), mean, jax.lax.rsqrt(variance + eps)


def _max_pool(
  images: jax.Array,
  kernel_size: int | Sequence[int],
  stride: int | Sequence[int] | None = None,
  padding: int | Sequence[int] = 0,
  dilation: int | Sequence[int] = 1,
  ceil_mode: bool = False,
  return_indices: bool = False,
) -> jax.Array | None:
  """Of images [B, C, H, W] and square windows; None for what is not that."""
  window, margin, spread = (_pair(sizes) for sizes in (kernel_size, padding, dilation))
  step = _pair(stride or kernel_size)
  square = all(one == other for one, other in (window, margin, step))
  if not square or spread != (1, 1) or ceil_mode or return_indices or images.ndim != 4:
    return None
  pooled = max_pool(jnp.transpose(images, (0, 2, 3, 1)), window[0], step[0], margin[0])
  return jnp.transpose(pooled, (0, 3, 1, 2))


def _pair(sizes: int | Sequence[int]) -> tuple[int, int]:
  if isinstance(sizes, int):
    return sizes, sizes
  first, *others = sizes
  return first, (others[0] if others else first)
