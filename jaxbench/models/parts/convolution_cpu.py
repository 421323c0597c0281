"""Convolutions that a CPU computes faster than by XLA's own code; in float32 or wider.

With jaxlib 0.10 on one core, XLA's takes 7 to 20 times as long for each channel by itself (its
gradient 8 to 230 times, with strides the most), 1.4 to 5 times in groups (its gradient 50 times),
1.5 times for the gradient of an image or of many channels at few positions, and 4 to 20 times where
a kernel has more elements than its map.

Arrays are x [B, H, W, I], kernel [h, w, I / groups, O] and y [B, H', W', O].
"""

import functools
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

# Where XLA takes longer to turn a kernel around than we to write out the windows.
_FEW_POSITIONS, _MANY_CHANNELS = 7 * 7, 256
_WIDE = 32  # Channels that keep a matrix product busy.

_Margins = tuple[tuple[int, int], ...]


class Window(NamedTuple):
  """How a kernel moves over x."""

  strides: tuple[int, ...]
  padding: _Margins
  dilation: tuple[int, ...] = (1, 1)
  groups: int = 1

  def xla(
    self, x: jax.Array, kernel: jax.Array, precision: Any = None, dtype: Any = None
  ) -> jax.Array:
    """(x, kernel) -> y, by JAX's own function."""
    return lax.conv_general_dilated(
      x,
      kernel,
      self.strides,
      self.padding,
      rhs_dilation=self.dilation,
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
      feature_group_count=self.groups,
      precision=precision,
      preferred_element_type=dtype,
    )


_Forward = Callable[[jax.Array, jax.Array, Window], jax.Array]


class Code(NamedTuple):
  """A convolution, and its transpose as a function of x."""

  forward: _Forward  # (x, kernel, window) -> y.
  # (y, kernel, window, the shape of x) -> like x.
  transposed: Callable[[jax.Array, jax.Array, Window, tuple[int, ...]], jax.Array]


def choose(x: tuple[int, ...], kernel: tuple[int, ...], window: Window) -> Code | None:
  """What is faster than XLA's code for arrays of these shapes; None where nothing is."""
  *size, inputs, _ = kernel
  undilated, stride = window.dilation == (1, 1), max(window.strides)
  if inputs == 1 and window.groups > 1:
    return DEPTHWISE if undilated or stride == 1 else None
  if window.groups > 1:
    return GROUPED
  positions, length = math.prod(_places(x[1:3], size, window)), math.prod(size)
  # Of a kernel larger than its map XLA makes the map, for which it has plain loops alone.
  most = _FEW_POSITIONS if inputs >= _MANY_CHANNELS else length - 1
  if length > 1 and positions <= most:
    return PRODUCT
  if inputs <= 4 and stride > 1 and min(size) >= 3 * stride and undilated:
    return IMAGE
  return None


def _places(sides: tuple[int, ...], size: list[int], window: Window) -> list[int]:
  """The height and width of y, from those of x and of the kernel."""
  axes = zip(sides, size, window.strides, window.padding, window.dilation, strict=True)
  return [
    (side + sum(margins) - (length - 1) * dilation - 1) // stride + 1
    for side, length, stride, margins, dilation in axes
  ]


def windows(x: jax.Array, size: list[int], window: Window, around: float = 0.0) -> list[jax.Array]:
  """What each element of a kernel of `size` sees, with `around` beyond: h * w of [B, H', W', I]."""
  height, width = _places(x.shape[1:3], size, window)
  (down, across), (row, column) = window.strides, window.dilation
  margins = ((0, 0), *window.padding, (0, 0))
  x = lax.pad(x, jnp.asarray(around, x.dtype), [(*margin, 0) for margin in margins])
  below, beyond = down * (height - 1) + 1, across * (width - 1) + 1
  return [
    x[:, top : top + below : down, left : left + beyond : across]
    for top in range(0, row * size[0], row)
    for left in range(0, column * size[1], column)
  ]


def phases(
  y: jax.Array, kernel: jax.Array, window: Window, shape: tuple[int, ...]
) -> tuple[jax.Array, Window]:
  """The transpose as a convolution of y without strides, whose outputs are neighbours in x.

  Returns:
    kernel [K, s, K', s', I, O] for strides of s and s', zeros where it was extended, and how
    K x K' elements of it move over y.
  """
  ends, lengths, padding = [], [], []
  for axis, (stride, margins) in enumerate(zip(window.strides, window.padding, strict=True)):
    before = -margins[0] % stride  # So that each neighbour begins at the same element of y.
    after = -(kernel.shape[axis] + before) % stride
    count = (kernel.shape[axis] + before + after) // stride
    first = (margins[0] + before) // stride
    reach = (count - 1) * window.dilation[axis]
    missing = -(-shape[1 + axis] // stride) - y.shape[1 + axis]
    ends.append((before, after))
    lengths += [count, stride]
    padding.append((reach - first, missing + first))
  kernel = jnp.pad(kernel, (*ends, (0, 0), (0, 0))).reshape(*lengths, *kernel.shape[2:])
  return kernel[::-1, :, ::-1], Window((1, 1), tuple(padding), window.dilation)


def joined(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """[B, H / s, s, W / s', s', I] -> `shape`."""
  batch, rows, down, columns, across, inputs = x.shape
  x = x.reshape(batch, rows * down, columns * across, inputs)
  return x[:, : shape[1], : shape[2]]


def _depthwise(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
  """Each channel by itself: XLA makes one loop of the sum, vectors along the channels."""
  if (times := kernel.shape[-1] // x.shape[-1]) > 1:  # Outputs of a channel stand together.
    x = jnp.repeat(x, times, axis=-1)
  weights = kernel.reshape(-1, 1, 1, 1, kernel.shape[-1])
  return _sum_of_products(windows(x, [*kernel.shape[:2]], window), weights)


def _depthwise_transposed(
  y: jax.Array, kernel: jax.Array, window: Window, shape: tuple[int, ...]
) -> jax.Array:
  kernel, window = phases(y, kernel, window, shape)
  height, down, width, across, _, channels = kernel.shape
  weights = kernel.swapaxes(1, 2).reshape(-1, 1, 1, down, 1, across, channels)
  seen = [x[:, :, None, :, None] for x in windows(y, [height, width], window)]
  x = _sum_of_products(seen, weights)
  if channels != shape[-1]:
    x = x.reshape(*x.shape[:-1], shape[-1], -1).sum(axis=-1)
  return joined(x, shape)


def _sum_of_products(seen: list[jax.Array], weights: jax.Array) -> jax.Array:
  """In the order of the kernel's elements, as XLA's code adds them."""
  products = (x * weight for x, weight in zip(seen, weights, strict=True))
  return functools.reduce(operator.add, products)


def _grouped(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
  """Some groups at once, with zeros between them, until they are wide enough for a product."""
  *size, inputs, outputs = kernel.shape
  groups = window.groups
  merged = _merged(groups, inputs)
  apart = kernel.reshape(*size, inputs, groups // merged, merged, outputs // groups)
  diagonal = jnp.einsum("hwibgo,gk->bhwkigo", apart, jnp.eye(merged, dtype=kernel.dtype))
  blocks = diagonal.reshape(groups // merged, *size, merged * inputs, -1)
  parts = jnp.split(x, len(blocks), axis=-1)
  alone = window._replace(groups=1)
  return jnp.concatenate([alone.xla(*both) for both in zip(parts, blocks, strict=True)], axis=-1)


def _merged(groups: int, inputs: int) -> int:
  """How many groups at once cost least: a narrow product takes as long as one of `_WIDE`."""
  divisors = [n for n in range(1, groups + 1) if groups % n == 0]
  return min(divisors, key=lambda n: groups // n * max(n * inputs, _WIDE) ** 2)


def _grouped_transposed(
  y: jax.Array, kernel: jax.Array, window: Window, shape: tuple[int, ...]
) -> jax.Array:
  """Neighbours that strides make are outputs of their group; XLA takes 50 times as long."""
  groups = window.groups
  kernel, window = phases(y, kernel, window, shape)
  height, down, width, across, inputs, outputs = kernel.shape
  apart = kernel.reshape(height, down, width, across, inputs, groups, outputs // groups)
  apart = apart.transpose(0, 2, 6, 5, 1, 3, 4).reshape(height, width, outputs // groups, -1)
  x = _grouped(y, apart, window._replace(groups=groups))
  x = x.reshape(*x.shape[:3], groups, down, across, inputs).transpose(0, 1, 4, 2, 5, 3, 6)
  return joined(x.reshape(*x.shape[:5], groups * inputs), shape)


def _product(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
  """One matrix product of all windows."""
  seen = jnp.concatenate(windows(x, [*kernel.shape[:2]], window), axis=-1)
  return seen @ kernel.reshape(-1, kernel.shape[-1])


def _xla(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
  return window.xla(x, kernel)


def _image_transposed(
  y: jax.Array, kernel: jax.Array, window: Window, shape: tuple[int, ...]
) -> jax.Array:
  """With the few channels of neighbours as outputs of one product."""
  kernel, window = phases(y, kernel, window, shape)
  height, down, width, across, inputs, outputs = kernel.shape
  kernel = kernel.transpose(0, 2, 5, 1, 3, 4).reshape(height, width, outputs, -1)
  x = window.xla(y, kernel)
  return joined(x.reshape(*x.shape[:3], down, across, inputs).swapaxes(2, 3), shape)


def _by_jax(forward: _Forward) -> Code:
  def transposed(
    y: jax.Array, kernel: jax.Array, window: Window, shape: tuple[int, ...]
  ) -> jax.Array:
    like = jax.ShapeDtypeStruct(shape, y.dtype)
    return jax.linear_transpose(lambda x: forward(x, kernel, window), like)(y)[0]

  return Code(forward, transposed)


DEPTHWISE = Code(_depthwise, _depthwise_transposed)
GROUPED = Code(_grouped, _grouped_transposed)
PRODUCT = _by_jax(_product)
IMAGE = Code(_xla, _image_transposed)
