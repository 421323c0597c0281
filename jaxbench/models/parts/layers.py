"""Layers whose arithmetic is that of their input's dtype, whatever dtype their weights have."""

import functools
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxbench import errors
from jaxbench.models.parts.convolution import convolve


def _gelu(x: jax.Array) -> jax.Array:
  """By erf in float32 or wider, as torch has it; `jax.nn.gelu`, by erfc, takes twice as long."""
  y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
  return (0.5 * y * (1 + lax.erf(y * 0.5**0.5))).astype(x.dtype)


# A backward pass computes them again: a ViT-B/32 gradient takes a third less memory, and less time.
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  "gelu": jax.checkpoint(_gelu),
  "gelu_tanh": jax.checkpoint(functools.partial(jax.nn.gelu, approximate=True)),
  "quick_gelu": jax.checkpoint(lambda x: x * jax.nn.sigmoid(1.702 * x)),
  "silu": jax.checkpoint(jax.nn.silu),
}
LayerList = getattr(nnx, "List", list)  # flax < 0.12 takes a plain list and has no nnx.List.
T = TypeVar("T")


def require_floats(images: jax.Array) -> None:
  """Raises InputError for images that are not floats, when traced: 8 bits are not in [0, 1]."""
  if not jnp.issubdtype(images.dtype, jnp.floating):
    raise errors.InputError(
      f"images are {images.dtype}; a classifier takes float32 in [0, 1]: divide 8 bits by 255"
    )


class Network(nnx.Module):
  """What takes images or tokens from outside, and decides the dtype of the computation."""

  compute_dtype: str = "float32"

  def standardize(
    self, images: jax.Array, mean: tuple[float, ...], std: tuple[float, ...]
  ) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] -> (images - mean) / std, in the computation's dtype."""
    require_floats(images)
    shift, scale = (jnp.asarray(x, images.dtype).reshape(1, 1, 1, -1) for x in (mean, std))
    return ((images - shift) / scale).astype(self.compute_dtype)

  def compute_in(self: T, dtype: str) -> T:
    """See the function of this name."""
    return compute_in(self, dtype)


def compute_in(model: T, dtype: str) -> T:
  """The same weights, computing in `dtype`: "bfloat16" to search or to embed, never to judge.

  Args:
    model: a CLIP, a supervised model or a zero-shot classifier.
    dtype: "float32" or "bfloat16"; outputs stay float32.
  """
  copy = jax.tree.map(lambda x: x, model)
  for part in (copy, getattr(copy, "visual", None), getattr(copy, "text", None)):
    if isinstance(part, Network):
      part.compute_dtype = dtype
  return copy


class Undrawn:
  """Stands for nnx.Rngs where shapes alone are wanted: most of a trace would be of the draws."""

  def params(self) -> jax.Array:
    """A key for what is drawn all the same."""
    return jax.random.key(0)


def _drawn(init: nnx.Initializer, shape: tuple[int, ...], rngs: nnx.Rngs | Undrawn) -> nnx.Param:
  """A weight, float32 of `shape`; zeros if nothing is drawn."""
  if isinstance(rngs, Undrawn):
    return nnx.Param(jnp.zeros(shape))
  return nnx.Param(init(rngs.params(), shape, jnp.float32))


class Linear(nnx.Module):
  """x @ kernel + bias."""

  def __init__(self, inputs: int, outputs: int, *, use_bias: bool = True, rngs: nnx.Rngs):
    self.kernel = _drawn(nnx.initializers.lecun_normal(), (inputs, outputs), rngs)
    self.bias = nnx.Param(jnp.zeros(outputs)) if use_bias else None

  def __call__(self, x: jax.Array, outputs: slice = slice(None)) -> jax.Array:
    """float [..., I] -> [..., O], or some of the outputs alone."""
    x = x @ self.kernel[...][:, outputs].astype(x.dtype)
    return x if self.bias is None else x + _like(self.bias[...][outputs], x)


class Conv(nnx.Module):
  """A convolution, padded as torch pads: `padding` on each side, half the kernel by default."""

  def __init__(
    self,
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    *,
    padding: int | str | None = None,
    groups: int = 1,
    use_bias: bool = False,
    rngs: nnx.Rngs,
  ):
    shape = (kernel, kernel, inputs // groups, outputs)
    self.kernel = _drawn(nnx.initializers.he_normal(), shape, rngs)
    self.bias = nnx.Param(jnp.zeros(outputs)) if use_bias else None
    self.stride, self.groups = stride, groups
    self.padding = kernel // 2 if padding is None else padding

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, I] -> [B, H', W', O]."""
    kernel = self.kernel[...].astype(x.dtype)
    x = convolve(x, kernel, self.stride, self.padding, self.groups)
    return x if self.bias is None else x + _like(self.bias[...], x)


class LayerNorm(nnx.Module):
  """See `layer_norm`."""

  def __init__(self, width: int, epsilon: float):
    self.scale, self.bias = nnx.Param(jnp.ones(width)), nnx.Param(jnp.zeros(width))
    self.epsilon = epsilon

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [..., D] -> [..., D]."""
    return layer_norm(x, self.scale[...], self.bias[...], self.epsilon)


def layer_norm(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
  """float [..., D], [D], [D] -> [..., D].

  Two passes over the data, in float32, as torch does it: E[x^2] - E[x]^2 loses digits.
  """
  y = x.astype(jnp.float32)
  y = y - y.mean(axis=-1, keepdims=True)
  y = y * lax.rsqrt(jnp.square(y).mean(axis=-1, keepdims=True) + epsilon)
  return (y * _like(scale, y) + _like(bias, y)).astype(x.dtype)


class FrozenBatchNorm(nnx.Module):
  """Batch norm on its stored statistics: an affine map per channel."""

  def __init__(self, channels: int, epsilon: float = 1e-5):
    self.scale, self.bias = nnx.Param(jnp.ones(channels)), nnx.Param(jnp.zeros(channels))
    self.running_mean = nnx.BatchStat(jnp.zeros(channels))
    self.running_var = nnx.BatchStat(jnp.ones(channels))
    self.epsilon = epsilon

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    scale, shift = self.affine()
    return x * _like(scale, x) + _like(shift, x)

  def affine(self) -> tuple[jax.Array, jax.Array]:
    """float32 [C] and [C], the factor and what is added."""
    arrays = (self.scale, self.bias, self.running_mean, self.running_var)
    weight, bias, mean, variance = (array[...].astype(jnp.float32) for array in arrays)
    scale = weight * lax.rsqrt(variance + self.epsilon)
    return scale, bias - mean * scale


def attend(
  query: jax.Array,
  key: jax.Array,
  value: jax.Array,
  heads: int,
  *,
  causal: bool = False,
  seen: jax.Array | None = None,
  bias: jax.Array | None = None,
) -> jax.Array:
  """Multi-head attention, its weights in float32.

  On CPU faster than `jax.nn.dot_product_attention`, whose heads are not the leading axis (ViT-B/32
  forward: 0.89 against 1.0 s for 32 images on 2 cores).

  Args:
    query: float [B, Q, D].
    key: float [B, T, D].
    value: float [B, T, D].
    heads: into which D is cut.
    causal: whether position i sees only those up to i.
    seen: bool [B, T], the keys that any query sees; all by default.
    bias: float [heads, Q, T], added to the scores.

  Returns:
    float [B, Q, D].
  """
  batch, length, width = query.shape
  query, key, value = (
    x.reshape(batch, -1, heads, width // heads).transpose(0, 2, 1, 3) for x in (query, key, value)
  )
  scores = jnp.einsum("bhqd,bhkd->bhqk", query * (width // heads) ** -0.5, key)
  if jnp.finfo(scores.dtype).bits < 32:
    scores = scores.astype(jnp.float32)
  if bias is not None:
    scores = scores + bias.astype(scores.dtype)[None]
  if causal:
    scores = jnp.where(jnp.tri(length, key.shape[2], dtype=bool)[None, None], scores, -jnp.inf)
  if seen is not None:
    scores = jnp.where(seen[:, None, None], scores, -jnp.inf)
  weights = jax.nn.softmax(scores).astype(value.dtype)
  mixed = jnp.einsum("bhqk,bhkd->bhqd", weights, value)
  return mixed.transpose(0, 2, 1, 3).reshape(batch, length, width)


def normalize(x: jax.Array) -> jax.Array:
  """float32 [..., D] -> unit vectors."""
  return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def prepend(token: jax.Array, x: jax.Array) -> jax.Array:
  """One [D] vector before every sequence: float [B, T, D] -> [B, 1 + T, D]."""
  tokens = jnp.broadcast_to(token.astype(x.dtype), (x.shape[0], 1, x.shape[-1]))
  return jnp.concatenate([tokens, x], axis=1)


def _like(vector: jax.Array, x: jax.Array) -> jax.Array:
  """A vector of the last axis, in the rank and dtype of `x`."""
  return vector.astype(x.dtype).reshape((1,) * (x.ndim - 1) + vector.shape)
