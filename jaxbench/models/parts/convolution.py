"""`jax.lax.conv_general_dilated`, with code of our own where XLA's is slow: on a CPU.

Which code runs is decided when a program is lowered, by the platform it is lowered for; elsewhere
than on a CPU it is XLA's.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata

from jaxbench.models.parts import convolution_cpu
from jaxbench.models.parts.convolution_cpu import Code, Window

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def conv_general_dilated(
  lhs: jax.Array,
  rhs: jax.Array,
  window_strides: Sequence[int],
  padding: str | Sequence[tuple[int, int]],
  lhs_dilation: Sequence[int] | None = None,
  rhs_dilation: Sequence[int] | None = None,
  dimension_numbers: Any = None,
  feature_group_count: int = 1,
  batch_group_count: int = 1,
  precision: Any = None,
  preferred_element_type: Any = None,
) -> jax.Array:
  """JAX's function of this name, up to rounding; flax.linen.Conv takes it as an argument.

  Code of our own is for floats in NHWC and HWIO, and differentiates in reverse only; the rest is
  JAX's own.

  Example:
    >>> flax.linen.Conv(8, (3, 3), conv_general_dilated=conv_general_dilated)
  """
  dilation = tuple(rhs_dilation or (1,) * (lhs.ndim - 2))
  numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
  ours = (
    lhs.ndim == 4
    and numbers == lax.conv_dimension_numbers(lhs.shape, rhs.shape, _DIMENSIONS)
    and set(lhs_dilation or ()) <= {1}
    and batch_group_count == 1
    and jnp.issubdtype(lhs.dtype, jnp.floating)
  )
  if ours:
    if isinstance(padding, str):
      reach = [(size - 1) * step + 1 for size, step in zip(rhs.shape[:2], dilation, strict=True)]
      padding = lax.padtype_to_pads(lhs.shape[1:3], reach, window_strides, padding)
    margins = tuple((int(before), int(after)) for before, after in padding)
    window = Window(tuple(window_strides), margins, dilation, feature_group_count)
    code = convolution_cpu.choose(lhs.shape, rhs.shape, window)
    if code is not None:
      return _convolve(lhs, rhs, code, window, precision, preferred_element_type)
  return lax.conv_general_dilated(
    lhs,
    rhs,
    window_strides,
    padding,
    lhs_dilation,
    rhs_dilation,
    dimension_numbers,
    feature_group_count,
    batch_group_count,
    precision,
    preferred_element_type,
  )


def convolve(
  x: jax.Array, kernel: jax.Array, stride: int = 1, padding: int | str = 0, groups: int = 1
) -> jax.Array:
  """float [B, H, W, I], [h, w, I / groups, O] -> [B, H', W', O], padded on all sides alike."""
  size = kernel.shape[0]
  fits = x.shape[1] % stride == 0 and x.shape[2] % stride == 0
  # Where no two windows overlap, a matrix product does it, faster on every backend.
  if groups == 1 and (size == 1 or (size == stride and not padding and fits)):
    return _product(x, kernel, stride)
  return conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    padding if isinstance(padding, str) else [(padding, padding)] * 2,
    dimension_numbers=_DIMENSIONS,
    feature_group_count=groups,
  )


def _product(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  size, _, inputs, outputs = kernel.shape
  if size == 1:
    return x[:, ::stride, ::stride] @ kernel[0, 0]
  batch, height, width, _ = x.shape
  x = x.reshape(batch, height // size, size, width // size, size, inputs)
  x = x.swapaxes(2, 3).reshape(batch, height // size, width // size, size * size * inputs)
  return x @ kernel.reshape(size * size * inputs, outputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4, 5))
def _convolve(
  x: jax.Array, kernel: jax.Array, code: Code, window: Window, precision: Any, dtype: Any
) -> jax.Array:
  """float [B, H, W, I], [h, w, I / groups, O] -> [B, H', W', O]."""
  return lax.platform_dependent(
    x,
    kernel,
    cpu=_alone(lambda x, kernel: code.forward(x, kernel, window), dtype or x.dtype),
    default=lambda x, kernel: window.xla(x, kernel, precision, dtype),
  )


def _forward(
  x: jax.Array, kernel: jax.Array, code: Code, window: Window, precision: Any, dtype: Any
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  return _convolve(x, kernel, code, window, precision, dtype), (x, kernel)


def _backward(
  code: Code,
  window: Window,
  precision: Any,
  dtype: Any,
  saved: tuple[jax.Array, jax.Array],
  y: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  x, kernel = saved

  def by_input(y: jax.Array, kernel: jax.Array) -> jax.Array:
    return code.transposed(y, kernel, window, x.shape)

  def by_kernel(x: jax.Array, y: jax.Array) -> jax.Array:
    like = jax.ShapeDtypeStruct(kernel.shape, x.dtype)
    return jax.linear_transpose(lambda kernel: code.forward(x, kernel, window), like)(y)[0]

  def xla(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return window.xla(x, kernel, precision, dtype)

  return (
    lax.platform_dependent(
      y,
      kernel,
      cpu=_alone(by_input, x.dtype),
      default=lambda y, kernel: jax.linear_transpose(lambda x: xla(x, kernel), x)(y)[0],
    ),
    lax.platform_dependent(
      x,
      y,
      cpu=_alone(by_kernel, kernel.dtype),
      default=lambda x, y: jax.linear_transpose(lambda kernel: xla(x, kernel), kernel)(y)[0],
    ),
  )


def _alone(function: Callable[..., jax.Array], dtype: Any) -> Callable[..., jax.Array]:
  """`function` in float32 or wider, as XLA sums on a CPU, and its result in `dtype`.

  It stays a call: inlined, XLA fuses the sum into all that use it, and computes it for each anew.
  """

  @jax.jit
  def widened(*arrays: jax.Array) -> jax.Array:
    wide = [x.astype(jnp.float32) if jnp.finfo(x.dtype).bits < 32 else x for x in arrays]
    return function(*wide).astype(dtype)

  def call(*arrays: jax.Array) -> jax.Array:
    with set_xla_metadata(inlineable="false"):
      return widened(*arrays)

  return call


_convolve.defvjp(_forward, _backward)
