"""Style transfer by adaptive instance normalisation (Huang & Belongie, 2017, arXiv:1703.06868)."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from jaxbench import errors

_POOLED_AFTER = (2, 4, 8)  # Convolutions of the encoder, counted from 0.
_ENLARGED_AFTER = (0, 4, 6)  # Of the decoder.
_EPSILON = 1e-5  # Added to variances.
_SCALE = 8  # Pixels of the image per pixel of the features, on each side.


@struct.dataclass
class Convolution:
  """Without stride; the image is continued by its reflection."""

  kernel: jax.Array  # [k, k, I, O] float32.
  bias: jax.Array  # [O] float32.

  def __call__(self, x: jax.Array) -> jax.Array:
    """float32 [H, W, I] -> [H, W, O]."""
    margin = len(self.kernel) // 2
    x = jnp.pad(x, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    dimensions = ("NHWC", "HWIO", "NHWC")
    result = lax.conv_general_dilated(
      x[None], self.kernel, (1, 1), "VALID", dimension_numbers=dimensions
    )
    return result[0] + self.bias[None, None]


@struct.dataclass
class AdaIN:
  """VGG-19 up to relu4_1, behind a 1x1 convolution that standardises, and its mirror image."""

  encoder: tuple[Convolution, ...]  # 10.
  decoder: tuple[Convolution, ...]  # 9.

  def encode(self, image: jax.Array) -> jax.Array:
    """float32 [H, W, 3] in [0, 1] -> features [H / 8, W / 8, 512]."""
    x = self.encoder[0](image)
    for index, convolution in enumerate(self.encoder[1:], start=1):
      x = jax.nn.relu(convolution(x))
      if index in _POOLED_AFTER:
        x = lax.reduce_window(x, -jnp.inf, lax.max, (2, 2, 1), (2, 2, 1), "VALID")
    return x

  def decode(self, features: jax.Array) -> jax.Array:
    """Features [h, w, 512] -> float32 [8 h, 8 w, 3], mostly in [0, 1]."""
    x = features
    for index, convolution in enumerate(self.decoder[:-1]):
      x = jax.nn.relu(convolution(x))
      if index in _ENLARGED_AFTER:
        x = x.repeat(2, axis=0).repeat(2, axis=1)
    return self.decoder[-1](x)


def stylize(network: AdaIN, image: jax.Array, painting: jax.Array) -> jax.Array:
  """One image in the style of a painting, at full strength, on the 8-bit grid as if saved.

  Args:
    network: of `load`.
    image: float32 [H, W, 3] in [0, 1].
    painting: float32 [h, w, 3] in [0, 1].

  Returns:
    float32 [H, W, 3] in [0, 1], whole multiples of 1/255.

  Raises:
    InputError: a side is no multiple of 8 pixels, or of less than 16.

  Example:
    >>> stylized = jax.vmap(stylize, in_axes=(None, 0, 0))(network, images, paintings)
  """
  for side in (*image.shape[:2], *painting.shape[:2]):
    if side % _SCALE or side < 2 * _SCALE:
      raise errors.InputError(
        f"style transfer needs sides of a multiple of {_SCALE} pixels, at least {2 * _SCALE}, "
        f"not {side}"
      )
  content, style = network.encode(image), network.encode(painting)
  mean, deviation = _statistics(content)
  wanted_mean, wanted_deviation = _statistics(style)
  pixels = network.decode((content - mean) / deviation * wanted_deviation + wanted_mean)
  return jnp.floor(jnp.clip(pixels * 255 + 0.5, 0, 255)) / 255


def _statistics(features: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Mean and deviation of each channel [1, 1, C]; the variance is a sample's, as torch has it."""
  variance = features.var(axis=(0, 1), ddof=1, keepdims=True) + _EPSILON
  return features.mean(axis=(0, 1), keepdims=True), jnp.sqrt(variance)
